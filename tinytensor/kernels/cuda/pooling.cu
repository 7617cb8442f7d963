// Sums and maxima of windows along one axis, and the derivative of the maximum.
//
// The arrays are (outer, size, inner). A tap pairs outputs with inputs: its output number j is
// out_start + j out_step, and reads the input in_start + j in_step.

const int TAPS = 64;  // as in pooling.py

struct Tap { int out_start, out_step, in_start, in_step, count; };
struct Line {
    Int size, out, inner, taps;
    Tap tap[TAPS];
};

// The number of a tap's pair with this output, or input; -1 if it has none.
__device__ inline int pair_of(int start, int step, int count, Int at) {
    Int j = at - start;
    return j < 0 || j % step || j / step >= count ? -1 : int(j / step);
}
__device__ inline int with_output(const Tap& t, Int o) {
    return pair_of(t.out_start, t.out_step, t.count, o);
}
__device__ inline int with_input(const Tap& t, Int i) {
    return pair_of(t.in_start, t.in_step, t.count, i);
}

// Calls body(element, its place along the axis, the start of its row) for each of `size` places.
template <class Body> __device__ void for_each_place(Int outer, Int size, Int other, Int inner,
                                                     Body body) {
    for (Int e = first_element(); e < outer * size * inner; e += element_step())
        body(e, e / inner % size, e / inner / size * other * inner + e % inner);
}

extern "C" __global__ void window_sum(const __grid_constant__ Line line, const Real* x, Real* out,
                                      Int outer) {
    for_each_place(outer, line.out, line.size, line.inner, [&](Int e, Int o, Int row) {
        Real sum = 0;
        for (int t = 0; t < line.taps; t++) {
            int j = with_output(line.tap[t], o);
            if (j >= 0) sum += x[row + (line.tap[t].in_start + j * line.tap[t].in_step) * line.inner];
        }
        out[e] = sum;
    });
}

// The tap with the maximum of a window: the first at a tie, the last NaN.
__device__ inline int winner(const Line& line, const Real* row, Int o, Real& best) {
    int found = -1;
    for (int t = 0; t < line.taps; t++) {
        int j = with_output(line.tap[t], o);
        if (j < 0) continue;
        Real value = row[(line.tap[t].in_start + j * line.tap[t].in_step) * line.inner];
        if (found < 0 || value > best || is_nan(value)) {
            best = value;
            found = t;
        }
    }
    return found;
}

extern "C" __global__ void window_max(const __grid_constant__ Line line, const Real* x, Real* out,
                                      Int outer) {
    for_each_place(outer, line.out, line.size, line.inner, [&](Int e, Int o, Int row) {
        Real best = -infinity();
        winner(line, x + row, o, best);
        out[e] = best;
    });
}

// A thread for each input: adds up the gradients of the windows that it wins.
extern "C" __global__ void window_max_back(const __grid_constant__ Line line, const Real* g,
                                           const Real* x, Real* d, Int outer) {
    for_each_place(outer, line.size, line.size, line.inner, [&](Int e, Int i, Int row) {
        Int of_g = row / (line.size * line.inner) * line.out * line.inner + e % line.inner;
        Real sum = 0, best;
        for (int t = 0; t < line.taps; t++) {
            int j = with_input(line.tap[t], i);
            if (j < 0) continue;
            Int o = line.tap[t].out_start + j * line.tap[t].out_step;
            if (winner(line, x + row, o, best) == t) sum += g[of_g + o * line.inner];
        }
        d[e] = sum;
    });
}
