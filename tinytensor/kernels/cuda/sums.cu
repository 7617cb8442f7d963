// Sums over the rows of a matrix, and biases added to them.

// out[part, column]: the sum of the rows of a part. A warp reads 32 neighbouring columns, and the
// warps of a block take rows in turn.
extern "C" __global__ void sum_of_rows(const Real* x, Real* out, Int rows, Int columns, Int parts) {
    __shared__ Real of_warp[32][32];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = blockDim.x / 32;
    Int strips = (columns + 31) / 32, length = (rows + parts - 1) / parts;
    for (Int piece = blockIdx.x; piece < strips * parts; piece += gridDim.x) {
        Int column = piece % strips * 32 + lane, part = piece / strips;
        Int last = min((part + 1) * length, rows);
        Real sum = 0;
        if (column < columns)
            for (Int r = part * length + warp; r < last; r += warps) sum += x[r * columns + column];
        of_warp[warp][lane] = sum;
        __syncthreads();
        if (warp == 0 && column < columns) {
            for (int w = 1; w < warps; w++) sum += of_warp[w][lane];
            out[part * columns + column] = sum;
        }
        __syncthreads();
    }
}

extern "C" __global__ void add_bias(Real* x, const Real* bias, Int size, Int columns) {
    for (Int i = first_element(); i < size; i += element_step()) x[i] += bias[i % columns];
}

extern "C" __global__ void add_bias_relu(Real* x, const Real* bias, Int size, Int columns) {
    for (Int i = first_element(); i < size; i += element_step()) {
        Real y = x[i] + bias[i % columns];
        x[i] = y < 0 ? Real(0) : y;  // NaN stays
    }
}
