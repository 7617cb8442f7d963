// Attention, between its matrix products: the softmax of masked scores, and its derivative.
//
// The scores are (outer, inner, queries, keys), C-contiguous. A block has a row of them.

struct Mask {  // numbers to add to the scores; null if there is no mask
    const Real* number;
    Int outer, inner, query, key;  // its strides, 0 where it is broadcast
};
struct Scores { Int rows, inner, queries, keys, causal; };

// The keys that the query of a row attends to, of those that the mask allows.
__device__ inline Int keys_of(const Scores& scores, Int row) {
    Int query = row % scores.queries;
    return scores.causal && query + 1 < scores.keys ? query + 1 : scores.keys;
}

__device__ inline const Real* row_of(const Mask& mask, const Scores& scores, Int row) {
    Int query = row % scores.queries, batch = row / scores.queries;
    return mask.number + batch / scores.inner * mask.outer + batch % scores.inner * mask.inner
           + query * mask.query;
}

// Turns the scores of each row into its weights; keeps the largest score and the sum of powers.
extern "C" __global__ void attention_weights(const __grid_constant__ Scores scores,
                                             const __grid_constant__ Mask mask, Real* x,
                                             Real* largests, Real* totals) {
    for (Int row = blockIdx.x; row < scores.rows; row += gridDim.x) {
        Int keys = keys_of(scores, row);
        Real* s = x + row * scores.keys;
        const Real* added = row_of(mask, scores, row);
        Real largest = -infinity(), total = 0;
        for (Int i = threadIdx.x; i < keys; i += blockDim.x) {
            if (mask.number) s[i] += added[i * mask.key];
            largest = larger(largest, s[i]);
        }
        largest = block_max(largest);
        if (largest == -infinity()) largest = 0;  // the query attends to no key: all powers are 0
        for (Int i = threadIdx.x; i < keys; i += blockDim.x) total += s[i] = exp(s[i] - largest);
        total = block_sum(total);
        for (Int i = threadIdx.x; i < scores.keys; i += blockDim.x)
            s[i] = i < keys && total != 0 ? s[i] / total : Real(0);
        if (threadIdx.x == 0) {
            largests[row] = largest;
            totals[row] = total;
        }
    }
}

// Turns scores into weights again, and the gradients of the weights into those of the scores.
extern "C" __global__ void attention_back(const __grid_constant__ Scores scores,
                                          const __grid_constant__ Mask mask, Real* x, Real* d,
                                          const Real* largests, const Real* totals) {
    for (Int row = blockIdx.x; row < scores.rows; row += gridDim.x) {
        Int keys = keys_of(scores, row);
        Real *s = x + row * scores.keys, *ds = d + row * scores.keys;
        const Real* added = row_of(mask, scores, row);
        Real sum = 0;
        for (Int i = threadIdx.x; i < keys; i += blockDim.x) {
            if (mask.number) s[i] += added[i * mask.key];
            s[i] = totals[row] == 0 ? Real(0) : exp(s[i] - largests[row]) / totals[row];
            sum += s[i] * ds[i];
        }
        sum = block_sum(sum);
        for (Int i = threadIdx.x; i < scores.keys; i += blockDim.x) {
            ds[i] = i < keys ? s[i] * (ds[i] - sum) : Real(0);
            if (i >= keys) s[i] = 0;
        }
    }
}
