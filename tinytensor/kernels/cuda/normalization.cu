// Normalisation: (x - mean) / sqrt(var + eps) * weight + bias over groups of elements. RMS norm, if
// not `centred`, is the same with 0 as the mean.
//
// A group is a row (layer norm) or a channel of all images (batch norm). Its element i is at
//
//     group * group_step + i / run * image_step + i % run
//
// For a row, `run` is its size. For a channel of (N, C, L), it is L, group_step is L, and image_step
// is C L. The weight of an element is weight[i] for a row, and weight[group] for a channel.

struct Groups { Int count, size, run, group_step, image_step; };

__device__ inline Int place(const Groups& groups, Int group, Int i) {
    return group * groups.group_step
           + (i < groups.run ? i : i / groups.run * groups.image_step + i % groups.run);
}

template <class Body> __device__ void for_each_group(const Groups& groups, Body body) {
    for (Int group = blockIdx.x; group < groups.count; group += gridDim.x) body(group);
}

template <class Value> __device__ Real sum_over(const Groups& groups, Value value) {
    Real sum = 0;
    for (Int i = threadIdx.x; i < groups.size; i += blockDim.x) sum += value(i);
    return block_sum(sum);
}

// Without a weight or bias the pointers are null. `by_group`: one of each for a group.
extern "C" __global__ void standardize(const __grid_constant__ Groups groups, const Real* x,
                                       const Real* weight, const Real* bias, Int by_group,
                                       Int centred, double eps, Real* out, Real* means,
                                       Real* variances) {
    for_each_group(groups, [&](Int group) {
        Real mean = 0;
        if (centred) {
            // Counted from the first element: a large mean would cost the digits of the sum.
            Real origin = x[place(groups, group, 0)];
            if (is_nan(origin - origin)) origin = 0;
            mean = sum_over(groups, [&](Int i) {
                return x[place(groups, group, i)] - origin;
            }) / groups.size + origin;
        }
        Real var = sum_over(groups, [&](Int i) {
            Real distance = x[place(groups, group, i)] - mean;
            return distance * distance;
        }) / groups.size;
        Real scale = 1 / sqrt(var + Real(eps));
        for (Int i = threadIdx.x; i < groups.size; i += blockDim.x) {
            Int at = place(groups, group, i), w = by_group ? group : i;
            Real y = (x[at] - mean) * scale;
            if (weight) y *= weight[w];
            if (bias) y += bias[w];
            out[at] = y;
        }
        if (threadIdx.x == 0) {
            if (centred) means[group] = mean;
            variances[group] = var;
        }
    });
}

// The gradient by x, with those through the results mean and var (null if there are none):
//
//     d = scale (g w - mean(g w) - (x - mean) scale² mean(g w (x - mean)))
//
// For weights by group it gives their gradients too. Without means it is that of RMS norm.
extern "C" __global__ void standardize_back(const __grid_constant__ Groups groups, const Real* g,
                                            const Real* x, const Real* weight, Int by_group,
                                            const Real* means, const Real* variances, double eps,
                                            const Real* g_mean, const Real* g_var, Real* d,
                                            Real* d_weight, Real* d_bias) {
    for_each_group(groups, [&](Int group) {
        Real mean = means ? means[group] : Real(0), scale = 1 / sqrt(variances[group] + Real(eps));
        const Real* w = by_group ? nullptr : weight;
        Real by_bias = sum_over(groups, [&](Int i) {
            Real each = g[place(groups, group, i)];
            return w ? each * w[i] : each;
        });
        Real by_weight = sum_over(groups, [&](Int i) {
            Int at = place(groups, group, i);
            Real each = g[at] * (x[at] - mean);
            return w ? each * w[i] : each;
        });
        if (by_group && threadIdx.x == 0) {
            d_weight[group] = by_weight * scale;
            d_bias[group] = by_bias;
        }
        Real factor = by_group && weight ? weight[group] : Real(1);
        Real slope = by_weight * factor * scale * scale * scale / groups.size;
        Real shift = means ? by_bias * factor * scale / groups.size : Real(0);
        if (g_mean) shift -= g_mean[group] / groups.size;
        if (g_var) slope -= g_var[group] * 2 / groups.size;
        for (Int i = threadIdx.x; i < groups.size; i += blockDim.x) {
            Int at = place(groups, group, i);
            Real each = g[at] * (w ? w[i] : factor) * scale;
            d[at] = each - (x[at] - mean) * slope - shift;
        }
    });
}

// Sums over parts of the rows: of g (x - mean) scale into d_weight, of g into d_bias, both
// (parts, size). The plan is that of `sum_of_rows` in sums.cu. Without means there is no bias.
extern "C" __global__ void standardize_affine(const Real* g, const Real* x, const Real* means,
                                              const Real* variances, double eps, Real* d_weight,
                                              Real* d_bias, Int rows, Int size, Int parts) {
    __shared__ Real weights[32][32], biases[32][32];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = blockDim.x / 32;
    Int strips = (size + 31) / 32, length = (rows + parts - 1) / parts;
    for (Int piece = blockIdx.x; piece < strips * parts; piece += gridDim.x) {
        Int column = piece % strips * 32 + lane, part = piece / strips;
        Int last = min((part + 1) * length, rows);
        Real to_weight = 0, to_bias = 0;
        if (column < size)
            for (Int r = part * length + warp; r < last; r += warps) {
                Real each = g[r * size + column], scale = 1 / sqrt(variances[r] + Real(eps));
                to_weight += each * ((x[r * size + column] - (means ? means[r] : Real(0))) * scale);
                to_bias += each;
            }
        weights[warp][lane] = to_weight;
        biases[warp][lane] = to_bias;
        __syncthreads();
        if (warp == 0 && column < size) {
            for (int w = 1; w < warps; w++) {
                to_weight += weights[w][lane];
                to_bias += biases[w][lane];
            }
            d_weight[part * size + column] = to_weight;
            if (d_bias) d_bias[part * size + column] = to_bias;
        }
        __syncthreads();
    }
}

// running = rest * running + factor * value, for two arrays of one size; a null one is left out.
extern "C" __global__ void move_averages(Real* running, const Real* value, double factor,
                                         Real* other, const Real* other_value, double other_factor,
                                         double rest, Int* count, Int size) {
    if (count && first_element() == 0) ++*count;
    for (Int i = first_element(); i < size; i += element_step()) {
        running[i] = running[i] * Real(rest) + value[i] * Real(factor);
        if (other) other[i] = other[i] * Real(rest) + other_value[i] * Real(other_factor);
    }
}
