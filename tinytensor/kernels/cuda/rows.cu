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

// The loss of each row of scores, its largest score, and the sum of its powers. The loss is NaN for
// a label that is out of range.
extern "C" __global__ void cross_entropy(const Real* x, const Int* labels, Real* losses,
                                         Real* largests, Real* totals, Int rows, Int size) {
    for_each_row(rows, size, 1, [&](Row row) {
        Int r = row.at / size;
        Real largest = -infinity(), total = 0;
        for (Int i = row.first; i < size; i += row.step) largest = larger(largest, x[row.at + i]);
        largest = row.max(largest);
        for (Int i = row.first; i < size; i += row.step) total += exp(x[row.at + i] - largest);
        total = row.sum(total);
        if (row.first == 0) {
            bool valid = labels[r] >= 0 && labels[r] < size;
            Real chosen = valid ? x[row.at + labels[r]] : not_a_number();
            losses[r] = log(total) - (chosen - largest);
            largests[r] = largest;
            totals[r] = total;
        }
    });
}

// The sum of all losses, divided by `count`, in one block.
extern "C" __global__ void sum_of_losses(const Real* losses, Real* out, Int rows, double count) {
    Real total = 0;
    for (Int i = threadIdx.x; i < rows; i += blockDim.x) total += losses[i];
    total = block_sum(total);
    if (threadIdx.x == 0) *out = total / Real(count);
}

// `g` has a number for each row, or, if g_step is 0, one for all.
extern "C" __global__ void cross_entropy_back(const Real* g, Int g_step, double count,
                                              const Real* x, const Int* labels,
                                              const Real* largests, const Real* totals, Real* d,
                                              Int rows, Int size) {
    for_each_row(rows, size, 1, [&](Row row) {
        Int r = row.at / size;
        Real each = g[r * g_step] / Real(count), scale = each / totals[r];
        for (Int i = row.first; i < size; i += row.step)
            d[row.at + i] = exp(x[row.at + i] - largests[r]) * scale
                            - (i == labels[r] ? each : Real(0));
    });
}
