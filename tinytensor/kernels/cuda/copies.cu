// Copies between arrays with any strides, several in one launch; rows of an embedding.

const int COPIES = 8, DIMS = 6;  // as in copies.py

struct Copy {
    Real* to;
    const Real* from;
    Int first;  // the number of its first element among those of all copies
    Int dims, size[DIMS], to_stride[DIMS], from_stride[DIMS];
};
struct Copies {
    Int count, elements;
    Copy copy[COPIES];
};

extern "C" __global__ void copy_all(const __grid_constant__ Copies copies) {
    for (Int e = first_element(); e < copies.elements; e += element_step()) {
        int k = 0;
        while (k + 1 < copies.count && copies.copy[k + 1].first <= e) k++;
        const Copy& copy = copies.copy[k];
        Int i = e - copy.first, to = 0, from = 0;
        for (int d = int(copy.dims) - 1; d >= 0; d--) {
            Int at = i % copy.size[d];
            to += at * copy.to_stride[d];
            from += at * copy.from_stride[d];
            i /= copy.size[d];
        }
        copy.to[to] = copy.from[from];
    }
}

// ---------------------------------------------------------------- embeddings

// A position out of range, which is an error, reads NaN and is not written.

extern "C" __global__ void take_rows(const Int* positions, const Real* weight, Real* out,
                                     Int count, Int rows, Int size) {
    for (Int e = first_element(); e < count * size; e += element_step()) {
        Int row = positions[e / size];
        out[e] = row >= 0 && row < rows ? weight[row * size + e % size] : not_a_number();
    }
}

// In no fixed order.
extern "C" __global__ void add_rows(const Int* positions, const Real* g, Real* d, Int count,
                                    Int rows, Int size, Int padding) {
    for (Int e = first_element(); e < count * size; e += element_step()) {
        Int row = positions[e / size];
        if (row >= 0 && row < rows && row != padding) atomicAdd(d + row * size + e % size, g[e]);
    }
}

// In the order of the positions: the block of the first occurrence of a row adds all of them.
extern "C" __global__ void add_rows_in_order(const Int* positions, const Real* g, Real* d,
                                             Int count, Int rows, Int size, Int padding) {
    __shared__ int earlier;
    for (Int p = blockIdx.x; p < count; p += gridDim.x) {
        Int row = positions[p];
        __syncthreads();
        if (threadIdx.x == 0) earlier = row < 0 || row >= rows || row == padding;
        __syncthreads();
        for (Int q = threadIdx.x; q < p; q += blockDim.x)
            if (positions[q] == row) earlier = 1;
        __syncthreads();
        if (earlier) continue;
        for (Int column = threadIdx.x; column < size; column += blockDim.x) {
            Real sum = 0;
            for (Int q = p; q < count; q++)
                if (positions[q] == row) sum += g[q * size + column];
            d[row * size + column] = sum;
        }
    }
}
