// Attention without the matrix of scores, for heads of up to SIZE elements.
//
// The scores of L queries and S keys are a matrix of L × S numbers, for a long text far more than
// queries, keys and values together. These kernels compute it tile by tile, in shared memory, and
// never write it (Dao et al. 2022).
//
// Forward. A block has TILE queries and walks over the keys. The softmax of a row needs its largest
// score, which is known at the end only. So each step assumes that the largest score so far is the
// one (Milakov and Gimelshein 2018). Where a later tile has a larger one, the sums so far are too
// large by a factor that is the same for all of them:
//
//     larger = max(largest, scores of the tile)     correction = exp(largest - larger)
//     powers = exp(scores - larger)                 total = total * correction + Σ powers
//                                                   sums  = sums  * correction + powers @ values
//
// and the result is sums / total. `largest` and `total` are kept, two numbers for each query.
//
// Backward. With them each tile of weights is computed again: exp(scores - largest) / total. With
// `d` for gradients, the derivative of the softmax is
//
//     d_weights = d_out @ valuesᵀ      d_scores = weights * (d_weights - Σ d_weights * weights)
//
// where that sum over all keys equals Σ d_out * out over the elements of a head (Dao et al. 2022,
// appendix B), so no tile needs another. The gradients of a query are sums over keys, and those of
// a key sums over queries. Two kernels compute them, so no two blocks add to the same number, and
// the results are the same in each run.
//
// Dropout. A weight is kept if a word of the generator is below a bound. The word follows from the
// position of the weight in the matrix, so both passes compute the same ones and none is stored.
//
// Threads. A block has SIDE × SIDE of them. Thread (y, x) computes rows y, y + SIDE, ... and columns
// x, x + SIDE, ... of a tile, so that neighbours read neighbours in memory.

constexpr int TILE = sizeof(Real) == 8 ? 32 : 64;  // queries and keys of a tile
constexpr int SIDE = 16;
constexpr int EACH = TILE / SIDE;  // rows, and columns, of a tile that a thread computes
constexpr int WIDTH = SIZE / SIDE;  // elements of a head that a thread computes
constexpr int DEPTH = 32;  // of the dim of a matrix product, how much is in shared memory at once

struct Matrix { Real* at; Int step[3], row, column; };  // steps in the batch, and strides
struct Dropout { Int drops, seed, offset; const Int* base; Int bound; double factor; };
struct Attention {
    Int batch[3];  // the sizes of the batch; dims that could be joined are one
    Int queries, keys, size, columns, causal;
    Int shared;  // whether all of the last dim of the batch have the same keys and values
    double scale;
    Dropout dropout;  // its factor is 1 if nothing is dropped
    Matrix query, key, value, mask, out, d_out, d_query, d_key, d_value;
    Real *largest, *total, *sum;  // of each query, C-contiguous
};

// A matrix of one head. Reading outside of it gives 0.
struct View {
    Real* at;
    Int rows, columns, row_step, column_step;
    __device__ bool has(Int i, Int j) const { return i < rows && j < columns; }
    __device__ Real& operator()(Int i, Int j) const { return at[i * row_step + j * column_step]; }
    __device__ Real get(Int i, Int j) const { return has(i, j) ? (*this)(i, j) : Real(0); }
};

__device__ inline View view(const Attention& a, const Matrix& m, Int head, Int rows, Int columns) {
    Int inner = head % a.batch[2], middle = head / a.batch[2] % a.batch[1];
    Int outer = head / a.batch[2] / a.batch[1];
    return {m.at + outer * m.step[0] + middle * m.step[1] + inner * m.step[2], rows, columns, m.row,
            m.column};
}

__device__ inline int y_of_thread() { return threadIdx.x / SIDE; }
__device__ inline int x_of_thread() { return threadIdx.x % SIDE; }

struct Pair { Real left[TILE][DEPTH + 1], right[TILE][DEPTH + 1]; };  // + 1: no conflicts of banks
struct Shared {
    Real tile[TILE][TILE + 1];  // weights, or gradients of scores
    union { Pair pair; Real rows[DEPTH][SIZE]; };  // parts of the operands of a product
};
typedef Real Tile[EACH][EACH];  // what a thread has of a tile
typedef Real Sums[EACH][WIDTH];  // what a thread has of TILE rows of a head

// ---------------------------------------------------------------- products of tiles

// products = rows of `left` from `i` on @ (rows of `right` from `j` on)ᵀ
__device__ void rows_by_rows(Shared& shared, const View& left, Int i, const View& right, Int j,
                             Tile& products) {
    for (int m = 0; m < EACH; ++m)
        for (int n = 0; n < EACH; ++n) products[m][n] = 0;
    for (Int start = 0; start < left.columns; start += DEPTH) {
        __syncthreads();  // what was here has been read
        for (int e = threadIdx.x; e < TILE * DEPTH; e += blockDim.x) {
            int row = e / DEPTH, column = e % DEPTH;
            shared.pair.left[row][column] = left.get(i + row, start + column);
            shared.pair.right[row][column] = right.get(j + row, start + column);
        }
        __syncthreads();
        for (int k = 0; k < DEPTH; ++k) {
            Real x[EACH], y[EACH];
            for (int m = 0; m < EACH; ++m) {
                x[m] = shared.pair.left[y_of_thread() + m * SIDE][k];
                y[m] = shared.pair.right[x_of_thread() + m * SIDE][k];
            }
            for (int m = 0; m < EACH; ++m)
                for (int n = 0; n < EACH; ++n) products[m][n] += x[m] * y[n];
        }
    }
}

// Writes a tile to shared memory.
__device__ void put(Shared& shared, const Tile& values) {
    __syncthreads();  // the tile that was here has been read
    for (int m = 0; m < EACH; ++m)
        for (int n = 0; n < EACH; ++n)
            shared.tile[y_of_thread() + m * SIDE][x_of_thread() + n * SIDE] = values[m][n];
}

// sums += tile @ rows of `right` from `j` on; if TRANSPOSED, tileᵀ @ them
template <bool TRANSPOSED>
__device__ void add_tile_by_rows(Shared& shared, const View& right, Int j, Sums& sums) {
    for (int start = 0; start < TILE; start += DEPTH) {
        __syncthreads();  // the tile is written, and what was in `rows` has been read
        for (int e = threadIdx.x; e < DEPTH * SIZE; e += blockDim.x)
            shared.rows[e / SIZE][e % SIZE] = right.get(j + start + e / SIZE, e % SIZE);
        __syncthreads();
        for (int k = 0; k < DEPTH; ++k) {
            Real x[EACH], y[WIDTH];
            for (int m = 0; m < EACH; ++m) {
                int row = y_of_thread() + m * SIDE;
                x[m] = TRANSPOSED ? shared.tile[start + k][row] : shared.tile[row][start + k];
            }
            for (int c = 0; c < WIDTH; ++c) y[c] = shared.rows[k][x_of_thread() + c * SIDE];
            for (int m = 0; m < EACH; ++m)
                for (int c = 0; c < WIDTH; ++c) sums[m][c] += x[m] * y[c];
        }
    }
}

__device__ void fill_with_zeros(Sums& sums) {
    for (int m = 0; m < EACH; ++m)
        for (int c = 0; c < WIDTH; ++c) sums[m][c] = 0;
}

// Writes sums, each row multiplied by its factor, to the rows of `to` from `i` on.
__device__ void write(const Sums& sums, const Real (&factor)[EACH], const View& to, Int i) {
    for (int m = 0; m < EACH; ++m)
        for (int c = 0; c < WIDTH; ++c) {
            Int row = i + y_of_thread() + m * SIDE, column = x_of_thread() + c * SIDE;
            if (to.has(row, column)) to(row, column) = sums[m][c] * factor[m];
        }
}

// A sum or maximum over the SIDE threads that have the same rows: half a warp.
template <class Operation> __device__ Real over_row(Real value) {
    for (int distance = SIDE / 2; distance; distance /= 2)
        value = Operation()(value, __shfl_xor_sync(0xffffffffu, value, distance));
    return value;
}

// ---------------------------------------------------------------- scores and weights

// The scores of a tile, -inf where a query does not attend to a key.
__device__ void scores_of(Shared& shared, const Attention& a, Int head, Int first_query,
                          Int first_key, Tile& scores) {
    View mask = view(a, a.mask, head, a.queries, a.keys);
    rows_by_rows(shared, view(a, a.query, head, a.queries, a.size), first_query,
                 view(a, a.key, head, a.keys, a.size), first_key, scores);
    for (int m = 0; m < EACH; ++m)
        for (int n = 0; n < EACH; ++n) {
            Int query = first_query + y_of_thread() + m * SIDE;
            Int key = first_key + x_of_thread() + n * SIDE;
            bool seen = mask.has(query, key) && !(a.causal && key > query);
            Real added = seen && mask.at ? mask(query, key) : Real(0);
            scores[m][n] = seen ? scores[m][n] * Real(a.scale) + added : -infinity();
        }
}

// Which weights of a tile dropout keeps: a bit for each that the thread computes. In an array they
// would not stay in registers, as the loop is too long to be unrolled.
__device__ unsigned int kept_of(const Attention& a, Int head, Int first_query, Int first_key) {
    const Dropout& d = a.dropout;
    if (!d.drops) return ~0u;
    unsigned int kept = 0;
    Int offset = d.offset + (d.base ? *d.base : 0);
    for (int e = 0; e < EACH * EACH; ++e) {
        Int query = first_query + y_of_thread() + e / EACH * SIDE;
        Int key = first_key + x_of_thread() + e % EACH * SIDE;
        Int position = (head * a.queries + query) * a.keys + key;
        Block block = philox((unsigned long long)d.seed,
                             (unsigned long long)(offset + position / 4));
        kept |= unsigned((Int)word_of(block, position % 4) < d.bound) << e;
    }
    return kept;
}

// By what dropout multiplies weight (m, n) of the thread.
__device__ inline Real factor_of(const Attention& a, unsigned int kept, int m, int n) {
    return kept >> (m * EACH + n) & 1 ? Real(a.dropout.factor) : Real(0);
}

// A query that attends to nothing has no largest score. 0 in its place makes its powers 0.
__device__ Real shift_of(Real largest) { return largest == -infinity() ? Real(0) : largest; }

// The keys to walk over for queries up to `last`.
__device__ Int keys_before(const Attention& a, Int last) {
    return a.causal && last < a.keys ? last : a.keys;
}

__device__ Int tiles_of(Int length) { return (length + TILE - 1) / TILE; }
__device__ Int heads_of(const Attention& a) { return a.batch[0] * a.batch[1] * a.batch[2]; }

// ---------------------------------------------------------------- forward

extern "C" __global__ void __launch_bounds__(256) attend(const __grid_constant__ Attention a) {
    __shared__ Shared shared;
    Int tiles = tiles_of(a.queries);
    for (Int job = blockIdx.x; job < heads_of(a) * tiles; job += gridDim.x) {
        Int head = job / tiles, first = job % tiles * TILE, stop = keys_before(a, first + TILE);
        Real largest[EACH], total[EACH];
        Sums sums;
        fill_with_zeros(sums);
        for (int m = 0; m < EACH; ++m) {
            largest[m] = -infinity();
            total[m] = 0;
        }
        for (Int key = 0; key < stop; key += TILE) {
            Tile tile;
            scores_of(shared, a, head, first, key, tile);
            unsigned int kept = kept_of(a, head, first, key);
            for (int m = 0; m < EACH; ++m) {
                Real most = largest[m], sum = 0;
                for (int n = 0; n < EACH; ++n) most = larger(most, tile[m][n]);
                most = over_row<Larger>(most);
                Real shift = shift_of(most), correction = exp(largest[m] - shift);
                for (int n = 0; n < EACH; ++n) {
                    tile[m][n] = exp(tile[m][n] - shift);
                    sum += tile[m][n];
                    tile[m][n] *= factor_of(a, kept, m, n);
                }
                total[m] = total[m] * correction + over_row<Sum>(sum);
                largest[m] = most;
                for (int c = 0; c < WIDTH; ++c) sums[m][c] *= correction;
            }
            put(shared, tile);
            add_tile_by_rows<false>(shared, view(a, a.value, head, a.keys, a.columns), key, sums);
        }
        Real share[EACH];
        for (int m = 0; m < EACH; ++m) {
            Int query = first + y_of_thread() + m * SIDE;
            share[m] = total[m] == 0 ? Real(0) : 1 / total[m];
            if (x_of_thread() == 0 && query < a.queries) {
                a.largest[head * a.queries + query] = shift_of(largest[m]);
                a.total[head * a.queries + query] = total[m];
            }
        }
        write(sums, share, view(a, a.out, head, a.queries, a.columns), first);
    }
}

// ---------------------------------------------------------------- backward

// A tile of weights, and of the gradients of the scores. `sum` is Σ d_out * out of each row.
__device__ void weights_and_gradients(Shared& shared, const Attention& a, Int head, Int first_query,
                                      Int first_key, const Real (&sum)[EACH], Tile& weights,
                                      Tile& d_scores) {
    scores_of(shared, a, head, first_query, first_key, weights);
    rows_by_rows(shared, view(a, a.d_out, head, a.queries, a.columns), first_query,
                 view(a, a.value, head, a.keys, a.columns), first_key, d_scores);
    unsigned int kept = kept_of(a, head, first_query, first_key);
    for (int m = 0; m < EACH; ++m) {
        Int query = first_query + y_of_thread() + m * SIDE, at = head * a.queries + query;
        Real largest = query < a.queries ? a.largest[at] : Real(0);
        Real total = query < a.queries ? a.total[at] : Real(0);
        for (int n = 0; n < EACH; ++n) {
            Real factor = factor_of(a, kept, m, n);
            Real weight = total == 0 ? Real(0) : exp(weights[m][n] - largest) / total;
            weights[m][n] = weight * factor;
            d_scores[m][n] = weight * (d_scores[m][n] * factor - sum[m]);
        }
    }
}

// The gradient of the queries; also keeps Σ d_out * out of each query.
extern "C" __global__ void __launch_bounds__(256) attend_back_queries(
        const __grid_constant__ Attention a) {
    __shared__ Shared shared;
    Int tiles = tiles_of(a.queries);
    for (Int job = blockIdx.x; job < heads_of(a) * tiles; job += gridDim.x) {
        Int head = job / tiles, first = job % tiles * TILE, stop = keys_before(a, first + TILE);
        View out = view(a, a.out, head, a.queries, a.columns);
        View d_out = view(a, a.d_out, head, a.queries, a.columns);
        Real sum[EACH], scale[EACH];
        Sums sums;
        fill_with_zeros(sums);
        for (int m = 0; m < EACH; ++m) {
            Int query = first + y_of_thread() + m * SIDE;
            sum[m] = 0;
            scale[m] = Real(a.scale);
            for (Int c = x_of_thread(); c < a.columns; c += SIDE)
                sum[m] += d_out.get(query, c) * out.get(query, c);
            sum[m] = over_row<Sum>(sum[m]);
            if (x_of_thread() == 0 && query < a.queries) a.sum[head * a.queries + query] = sum[m];
        }
        for (Int key = 0; key < stop; key += TILE) {
            Tile weights, d_scores;
            weights_and_gradients(shared, a, head, first, key, sum, weights, d_scores);
            put(shared, d_scores);
            add_tile_by_rows<false>(shared, view(a, a.key, head, a.keys, a.size), key, sums);
        }
        write(sums, scale, view(a, a.d_query, head, a.queries, a.size), first);
    }
}

// The gradients of keys and values, for all heads that have these keys.
extern "C" __global__ void __launch_bounds__(256) attend_back_keys(
        const __grid_constant__ Attention a) {
    __shared__ Shared shared;
    Int tiles = tiles_of(a.keys), sharing = a.shared ? a.batch[2] : 1;
    for (Int job = blockIdx.x; job < heads_of(a) / sharing * tiles; job += gridDim.x) {
        Int group = job / tiles * sharing, key = job % tiles * TILE;
        Sums to_keys, to_values;
        fill_with_zeros(to_keys);
        fill_with_zeros(to_values);
        Real scale[EACH], one[EACH], sum[EACH];
        for (int m = 0; m < EACH; ++m) {
            scale[m] = Real(a.scale);
            one[m] = 1;
        }
        for (Int head = group; head < group + sharing; ++head)
            for (Int first = a.causal ? key : 0; first < a.queries; first += TILE) {
                for (int m = 0; m < EACH; ++m) {
                    Int query = first + y_of_thread() + m * SIDE;
                    sum[m] = query < a.queries ? a.sum[head * a.queries + query] : Real(0);
                }
                Tile weights, d_scores;
                weights_and_gradients(shared, a, head, first, key, sum, weights, d_scores);
                put(shared, weights);
                add_tile_by_rows<true>(shared, view(a, a.d_out, head, a.queries, a.columns), first,
                                       to_values);
                put(shared, d_scores);
                add_tile_by_rows<true>(shared, view(a, a.query, head, a.queries, a.size), first,
                                       to_keys);
            }
        write(to_keys, scale, view(a, a.d_key, group, a.keys, a.size), key);
        write(to_values, one, view(a, a.d_value, group, a.keys, a.columns), key);
    }
}
