// Softmax, log_softmax and cross entropy.
//
// A row is what is summed over: `size` elements, `inner` elements apart. If inner is 1 a block
// has a row. Otherwise a thread has one, and the threads of a warp read neighbours in memory.

struct Row {
    Int at;  // its first element
    Int first, step;  // the elements of this thread
    bool shared;  // whether the threads of the block have one row
    __device__ Real sum(Real x) const { return shared ? block_sum(x) : x; }
    __device__ Real max(Real x) const { return shared ? block_max(x) : x; }
};

// Calls body(row) for the rows of this block, or of this thread.
template <class Body> __device__ void for_each_row(Int rows, Int size, Int inner, Body body) {
    if (inner == 1) {
        for (Int r = blockIdx.x; r < rows; r += gridDim.x)
            body(Row{r * size, threadIdx.x, blockDim.x, true});
    } else {
        for (Int r = first_element(); r < rows; r += element_step())
            body(Row{r / inner * inner * size + r % inner, 0, 1, false});
    }
}

// ---------------------------------------------------------------- softmax

extern "C" __global__ void softmax(const Real* x, Real* out, Int rows, Int size, Int inner) {
    for_each_row(rows, size, inner, [&](Row row) {
        Real largest = -infinity(), total = 0;
        for (Int i = row.first; i < size; i += row.step)
            largest = larger(largest, x[row.at + i * inner]);
        largest = row.max(largest);
        for (Int i = row.first; i < size; i += row.step)
            total += exp(x[row.at + i * inner] - largest);
        total = row.sum(total);
        for (Int i = row.first; i < size; i += row.step)
            out[row.at + i * inner] = exp(x[row.at + i * inner] - largest) / total;
    });
}

extern "C" __global__ void softmax_back(const Real* g, const Real* out, Real* d, Int rows, Int size,
                                        Int inner) {
    for_each_row(rows, size, inner, [&](Row row) {
        Real total = 0;
        for (Int i = row.first; i < size; i += row.step) {
            Int at = row.at + i * inner;
            total += g[at] * out[at];
        }
        total = row.sum(total);
        for (Int i = row.first; i < size; i += row.step) {
            Int at = row.at + i * inner;
            d[at] = g[at] * out[at] - out[at] * total;
        }
    });
}

extern "C" __global__ void log_softmax(const Real* x, Real* out, Int rows, Int size, Int inner) {
    for_each_row(rows, size, inner, [&](Row row) {
        Real largest = -infinity(), total = 0;
        for (Int i = row.first; i < size; i += row.step)
            largest = larger(largest, x[row.at + i * inner]);
        largest = row.max(largest);
        for (Int i = row.first; i < size; i += row.step)
            total += exp(x[row.at + i * inner] - largest);
        Real log_total = log(row.sum(total));
        for (Int i = row.first; i < size; i += row.step)
            out[row.at + i * inner] = x[row.at + i * inner] - largest - log_total;
    });
}

extern "C" __global__ void log_softmax_back(const Real* g, const Real* out, Real* d, Int rows,
                                            Int size, Int inner) {
    for_each_row(rows, size, inner, [&](Row row) {
        Real total = 0;
        for (Int i = row.first; i < size; i += row.step) total += g[row.at + i * inner];
        total = row.sum(total);
        for (Int i = row.first; i < size; i += row.step) {
            Int at = row.at + i * inner;
            d[at] = g[at] - exp(out[at]) * total;
        }
    });
}

// ---------------------------------------------------------------- cross entropy

// A label outside of [0, size - 1] is not used: its loss and gradient are 0, and a mean does not
// count it.
__device__ inline bool used(Int label, Int size) { return label >= 0 && label < size; }

// The loss of each row of scores, its largest score, and the sum of its powers.
extern "C" __global__ void cross_entropy(const Real* x, const Int* labels, Real* losses,
                                         Real* largests, Real* totals, Int rows, Int size) {
    for_each_row(rows, size, 1, [&](Row row) {
        Int r = row.at / size, label = labels[r];
        Real largest = -infinity(), total = 0;
        for (Int i = row.first; i < size; i += row.step) largest = larger(largest, x[row.at + i]);
        largest = row.max(largest);
        for (Int i = row.first; i < size; i += row.step) total += exp(x[row.at + i] - largest);
        total = row.sum(total);
        if (row.first == 0) {
            losses[r] = used(label, size) ? log(total) - (x[row.at + label] - largest) : Real(0);
            largests[r] = largest;
            totals[r] = total;
        }
    });
}

// The number of labels that are used, for the threads of one block.
__device__ inline Real count_used(const Int* labels, Int rows, Int size) {
    Real count = 0;
    for (Int i = threadIdx.x; i < rows; i += blockDim.x) count += used(labels[i], size);
    return block_sum(count);
}

// The sum of all losses, or, if `mean`, their mean, in one block.
extern "C" __global__ void sum_of_losses(const Real* losses, const Int* labels, Real* out,
                                         Int rows, Int size, Int mean) {
    Real total = 0;
    for (Int i = threadIdx.x; i < rows; i += blockDim.x) total += losses[i];
    total = block_sum(total);
    Real count = count_used(labels, rows, size);
    if (threadIdx.x == 0) *out = mean ? total / count : total;
}

// out = g / count, in one block.
extern "C" __global__ void divided_by_used(const Real* g, const Int* labels, Real* out, Int rows,
                                           Int size) {
    Real count = count_used(labels, rows, size);
    if (threadIdx.x == 0) *out = *g / count;
}

// `g` has a number for each row, g_step apart, or one for all if that is 0.
extern "C" __global__ void cross_entropy_back(const Real* g, Int g_step, const Real* x,
                                              const Int* labels, const Real* largests,
                                              const Real* totals, Real* d, Int rows, Int size) {
    for_each_row(rows, size, 1, [&](Row row) {
        Int r = row.at / size, label = labels[r];
        Real each = used(label, size) ? g[r * g_step] : Real(0), scale = each / totals[r];
        for (Int i = row.first; i < size; i += row.step)
            d[row.at + i] = exp(x[row.at + i] - largests[r]) * scale
                            - (i == label ? each : Real(0));
    });
}
