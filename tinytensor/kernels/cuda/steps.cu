// Steps of optimisers, gradient clipping and unscaling: one launch for the arrays of many parameters,
// see `tables.cu`.

// ---------------------------------------------------------------- optimisers

extern "C" __global__ void sgd(const __grid_constant__ Table table, const Real* device_rate,
                               double rate, double sign, double penalty, double momentum,
                               double damped, long long nesterov, long long first) {
    Real lr = device_rate ? *device_rate : Real(rate);
    for_each_element(table, [&](int row, Int i) {
        Real* const* array = table.row[row].array;
        Real p = array[0][i], g = direction(array[1][i], p, Real(sign), Real(penalty));
        if (array[2]) {
            Real v = first ? g : array[2][i] * Real(momentum) + Real(damped) * g;
            array[2][i] = v;
            g = nesterov ? g + Real(momentum) * v : v;
        }
        array[0][i] = p - lr * g;
    });
}

// `numbers` has the rate and epsilon of each row where the host does not know them.
extern "C" __global__ void adam(const __grid_constant__ Table table, const double* numbers,
                                double rate, double eps, double sign, double penalty,
                                double shrink, const double* device_shrink, double to_mean,
                                double beta2, double to_square) {
    Real kept = Real(device_shrink ? *device_shrink : shrink);
    for_each_element(table, [&](int row, Int i) {
        Real* const* array = table.row[row].array;
        Real step = Real(numbers ? numbers[2 * row] : rate);
        Real least = Real(numbers ? numbers[2 * row + 1] : eps);
        Real p = array[0][i] * kept, g = direction(array[1][i], p, Real(sign), Real(penalty));
        Real m = array[2][i], v = array[3][i];
        m += (g - m) * Real(to_mean);
        v = v * Real(beta2) + g * g * Real(to_square);
        array[2][i] = m;
        array[3][i] = v;
        if (array[4]) array[4][i] = v = larger(array[4][i], v);
        array[0][i] = p - m / (sqrt(v) + least) * step;
    });
}

struct Steps {
    Int rows;
    float* step[ROWS];
};

// Counts a step of each row, and computes the numbers of `adam` from the count and the rate.
extern "C" __global__ void count_steps(const __grid_constant__ Steps steps, double* numbers,
                                       const Real* device_rate, double rate, double eps,
                                       double beta1, double beta2, double decay, double* shrink) {
    int row = threadIdx.x;
    double lr = device_rate ? double(*device_rate) : rate;
    if (row == 0) *shrink = 1 - lr * decay;
    if (row >= steps.rows) return;
    double step = *steps.step[row] + 1;
    *steps.step[row] = float(step);
    double correction = sqrt(1 - pow(beta2, step));
    numbers[2 * row] = lr * correction / (1 - pow(beta1, step));
    numbers[2 * row + 1] = eps * correction;
}

extern "C" __global__ void rmsprop(const __grid_constant__ Table table, const Real* device_rate,
                                   double rate, double sign, double penalty, double alpha,
                                   double to_mean, double eps, double momentum) {
    Real lr = device_rate ? *device_rate : Real(rate);
    for_each_element(table, [&](int row, Int i) {
        Real* const* array = table.row[row].array;
        Real p = array[0][i], g = direction(array[1][i], p, Real(sign), Real(penalty));
        Real v = array[2][i] * Real(alpha) + g * g * Real(to_mean);
        array[2][i] = v;
        if (array[3]) {  // centered: the variance
            Real m = array[3][i];
            m += (g - m) * Real(to_mean);
            array[3][i] = m;
            v -= m * m;
        }
        Real change = g / (sqrt(v) + Real(eps));
        if (array[4]) array[4][i] = change = array[4][i] * Real(momentum) + change;
        array[0][i] = p - change * lr;
    });
}

// ---------------------------------------------------------------- clipping

// The sum of squares of each chunk.
extern "C" __global__ void chunk_squares(const __grid_constant__ Table table, double* sums) {
    for_each_chunk(table, [&](int row, Int start, Int stop, Int chunk) {
        const Real* x = table.row[row].array[0];
        Real sum = 0;
        for (Int i = start + threadIdx.x; i < stop; i += blockDim.x) sum += x[i] * x[i];
        sum = block_sum(sum);
        if (threadIdx.x == 0) sums[chunk] = sum;
    });
}

// The norm of each row, a block for each, from the sums of its chunks.
extern "C" __global__ void row_norms(const __grid_constant__ Table table, const double* sums,
                                     Real* norms) {
    const Row& row = table.row[blockIdx.x];
    Int last = blockIdx.x + 1 < table.rows ? table.row[blockIdx.x + 1].first : table.chunks;
    double sum = 0;
    for (Int i = row.first + threadIdx.x; i < last; i += blockDim.x) sum += sums[i];
    __shared__ double partial[32];
    partial[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int i = 1; i < blockDim.x; i++) sum += partial[i];
        norms[blockIdx.x] = Real(sqrt(sum));
    }
}

extern "C" __global__ void scale(const __grid_constant__ Table table, const Real* factor) {
    Real by = *factor;
    for_each_element(table, [&](int row, Int i) { table.row[row].array[0][i] *= by; });
}

// Multiplies by a factor; finite becomes false if an element is infinite or NaN then.
extern "C" __global__ void unscale(const __grid_constant__ Table table, double factor,
                                   bool* finite) {
    for_each_element(table, [&](int row, Int i) {
        Real x = table.row[row].array[0][i] * Real(factor);
        table.row[row].array[0][i] = x;
        if (is_nan(x - x)) *finite = false;
    });
}
