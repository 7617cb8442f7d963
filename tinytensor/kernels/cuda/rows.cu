// Softmax, log_softmax and cross entropy.
//
// A row is what is summed over: `size` elements, `inner` elements apart. `width` threads have a row:
// those of a block, those of a warp, or one. In the last case neighbours have neighbouring rows.

struct Row {
    Int at;  // its first element
    int first, width;  // a thread has the elements first, first + width, ...
    __device__ Real sum(Real x) const {
        return width == 1 ? x : width == 32 ? over_warp<Sum>(x) : block_sum(x);
    }
    __device__ Real max(Real x) const {
        return width == 1 ? x : width == 32 ? over_warp<Larger>(x) : block_max(x);
    }
};

// Calls body(row) for the rows of this thread.
template <class Body> __device__ void for_each_row(Int rows, Int size, Int inner, int width,
                                                   Body body) {
    Int step = element_step() / width;
    for (Int r = first_element() / width; r < rows; r += step)
        body(Row{r / inner * inner * size + r % inner, int(threadIdx.x) % width, width});
}

// ---------------------------------------------------------------- softmax

extern "C" __global__ void softmax(const Real* x, Real* out, Int rows, Int size, Int inner) {
    for_each_row(rows, size, inner, inner == 1 ? blockDim.x : 1, [&](Row row) {
        Real largest = -infinity(), total = 0;
        for (Int i = row.first; i < size; i += row.width)
            largest = larger(largest, x[row.at + i * inner]);
        largest = row.max(largest);
        for (Int i = row.first; i < size; i += row.width)
            total += exp(x[row.at + i * inner] - largest);
        total = row.sum(total);
        for (Int i = row.first; i < size; i += row.width)
            out[row.at + i * inner] = exp(x[row.at + i * inner] - largest) / total;
    });
}

extern "C" __global__ void softmax_back(const Real* g, const Real* out, Real* d, Int rows, Int size,
                                        Int inner) {
    for_each_row(rows, size, inner, inner == 1 ? blockDim.x : 1, [&](Row row) {
        Real total = 0;
        for (Int i = row.first; i < size; i += row.width) {
            Int at = row.at + i * inner;
            total += g[at] * out[at];
        }
        total = row.sum(total);
        for (Int i = row.first; i < size; i += row.width) {
            Int at = row.at + i * inner;
            d[at] = g[at] * out[at] - out[at] * total;
        }
    });
}

extern "C" __global__ void log_softmax(const Real* x, Real* out, Int rows, Int size, Int inner) {
    for_each_row(rows, size, inner, inner == 1 ? blockDim.x : 1, [&](Row row) {
        Real largest = -infinity(), total = 0;
        for (Int i = row.first; i < size; i += row.width)
            largest = larger(largest, x[row.at + i * inner]);
        largest = row.max(largest);
        for (Int i = row.first; i < size; i += row.width)
            total += exp(x[row.at + i * inner] - largest);
        Real log_total = log(row.sum(total));
        for (Int i = row.first; i < size; i += row.width)
            out[row.at + i * inner] = x[row.at + i * inner] - largest - log_total;
    });
}

extern "C" __global__ void log_softmax_back(const Real* g, const Real* out, Real* d, Int rows,
                                            Int size, Int inner) {
    for_each_row(rows, size, inner, inner == 1 ? blockDim.x : 1, [&](Row row) {
        Real total = 0;
        for (Int i = row.first; i < size; i += row.width) total += g[row.at + i * inner];
        total = row.sum(total);
        for (Int i = row.first; i < size; i += row.width) {
            Int at = row.at + i * inner;
            d[at] = g[at] - exp(out[at]) * total;
        }
    });
}

// ---------------------------------------------------------------- cross entropy

struct Labels {
    const Int* label;
    const Real* weight;  // of each label; null if all are 1
    Int rows, size, width;  // of the scores, and the threads that have a row
    Int ignored;  // a label whose rows are left out, as are those whose label is out of range
    Int* kept;  // a copy of the labels, which the forward makes
    double* mark;  // of a label out of range, as in checks.py; or null
    double smoothing;

    __device__ bool in_range(Int l) const { return l >= 0 && l < size; }
    __device__ bool uses(Int l) const { return in_range(l) && l != ignored; }
    __device__ Real weight_of(Int l) const { return weight ? weight[l] : Real(1); }
    template <class Body> __device__ void for_each_row(Body body) const {
        ::for_each_row(rows, size, 1, int(width), body);
    }
};

struct Reduced {
    Real* parts;  // the sums of each block: of the losses, and of the weights of the labels
    Real *loss, *divisor;
    Int mean;

    // Adds up the sums of the threads of a block. If there are no other blocks, that is the result.
    __device__ void take(Real sum, Real count) const {
        sum = block_sum(sum);
        count = block_sum(count);
        if (threadIdx.x) return;
        if (gridDim.x > 1) {
            parts[2 * blockIdx.x] = sum;
            parts[2 * blockIdx.x + 1] = count;
        } else {
            // Without weights 0 / 0, although the part of label smoothing is not 0.
            *loss = mean ? (count == 0 ? Real(0) : sum) / count : sum;
            *divisor = count;
        }
    }
};

// The loss of each row, or if `losses` is null the sums of them; of each row the largest score and
// the sum of powers.
extern "C" __global__ void cross_entropy(const __grid_constant__ Labels labels, const Real* x,
                                         Real* largests, Real* totals, Real* losses,
                                         const __grid_constant__ Reduced reduced) {
    Real sum = 0, count = 0;
    labels.for_each_row([&](Row row) {
        Int r = row.at / labels.size, label = labels.label[r];
        Real largest = -infinity(), total = 0, of_all = 0;
        for (Int i = row.first; i < labels.size; i += row.width)
            largest = larger(largest, x[row.at + i]);
        largest = row.max(largest);
        for (Int i = row.first; i < labels.size; i += row.width)
            total += exp(x[row.at + i] - largest);
        total = row.sum(total);
        Real log_total = log(total);
        if (labels.smoothing) {
            for (Int i = row.first; i < labels.size; i += row.width)
                of_all += labels.weight_of(i) * (log_total - (x[row.at + i] - largest));
            of_all = row.sum(of_all) * Real(labels.smoothing / labels.size);
        }
        if (row.first) return;
        Real loss = 0;
        if (labels.uses(label)) {
            Real weight = labels.weight_of(label);
            loss = weight * (log_total - (x[row.at + label] - largest))
                   * Real(1 - labels.smoothing) + of_all;
            sum += loss;
            count += weight;
        } else if (labels.mark && label != labels.ignored) {
            labels.mark[0] = 1;
            labels.mark[1] = label;
        }
        labels.kept[r] = label;
        if (losses) losses[r] = loss;
        largests[r] = largest;
        totals[r] = total;
    });
    if (!losses) reduced.take(sum, count);
}

// The result from the sums of `blocks` blocks, in one block.
extern "C" __global__ void cross_entropy_sum(const __grid_constant__ Reduced reduced, Int blocks) {
    Real sum = 0, count = 0;
    for (Int b = threadIdx.x; b < blocks; b += blockDim.x) {
        sum += reduced.parts[2 * b];
        count += reduced.parts[2 * b + 1];
    }
    reduced.take(sum, count);
}

// `g` has a number for each row, g_step apart, or one for all if that is 0. It is divided by
// `divisor` unless that is null.
extern "C" __global__ void cross_entropy_back(const __grid_constant__ Labels labels, const Real* g,
                                              Int g_step, const Real* divisor, const Real* x,
                                              const Real* largests, const Real* totals, Real* d) {
    labels.for_each_row([&](Row row) {
        Int r = row.at / labels.size, label = labels.label[r];
        bool used = labels.uses(label);
        Real each = !used ? Real(0) : divisor ? g[r * g_step] / *divisor : g[r * g_step];
        Real chosen = used ? each * Real(1 - labels.smoothing) * labels.weight_of(label) : Real(0);
        Real of_row = chosen;
        each *= Real(labels.smoothing / labels.size);
        if (labels.smoothing) {
            Real weights = 0;
            for (Int i = row.first; i < labels.size; i += row.width) weights += labels.weight_of(i);
            of_row += each * row.sum(weights);
        }
        Real scale = of_row / totals[r];
        for (Int i = row.first; i < labels.size; i += row.width) {
            Real power = exp(x[row.at + i] - largests[r]);
            Real by_label = i == label ? chosen : Real(0);
            if (labels.smoothing) by_label += each * labels.weight_of(i);
            d[row.at + i] = power * scale - by_label;
        }
    });
}
