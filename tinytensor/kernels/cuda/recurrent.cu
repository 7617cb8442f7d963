// Recurrent layers: one launch for up to STEPS steps of a sequence.
//
// A block has ROWS sequences of the batch, which do not depend on those of other blocks, and a thread
// has a hidden unit of all of them. The states stay in shared memory from step to step.

const int ROWS = 16 / sizeof(Real), UNITS = 512, STEPS = 200;  // as in recurrent.py

struct Steps {  // in the order of the steps; the rows of a step are those of its first sequences
    Int count, units, sequences;
    int start[STEPS], rows[STEPS];
};

// Forward. `across` is the transposed weight (units, GATES units). cell(row, k, sums, h) gives the
// new state of this thread's unit, for the k-th sequence of the block; it has the row's sums of
// weights times states, one for each gate. `states` (sequences, units) is read and written.
template <int GATES, class Cell>
__device__ void run(const Steps& steps, const Real* across, Real* states, Cell cell) {
    __shared__ Real h[ROWS][UNITS];
    Int units = steps.units, unit = threadIdx.x, first = (Int)blockIdx.x * ROWS;
    if (unit < units)
        for (int k = 0; k < ROWS; k++)
            h[k][unit] = first + k < steps.sequences ? states[(first + k) * units + unit] : Real(0);
    __syncthreads();
    for (int t = 0; t < steps.count; t++) {
        Real sums[ROWS][GATES] = {};
        if (unit < units)
            for (Int j = 0; j < units; j++)
                for (int gate = 0; gate < GATES; gate++) {
                    Real weight = across[(j * GATES + gate) * units + unit];
                    for (int k = 0; k < ROWS; k++) sums[k][gate] += h[k][j] * weight;
                }
        __syncthreads();  // all have read h
        if (unit < units)
            for (int k = 0; k < ROWS; k++)
                if (first + k < steps.rows[t])
                    h[k][unit] = cell(steps.start[t] + first + k, k, sums[k], h[k][unit]);
        __syncthreads();
    }
    if (unit < units)
        for (int k = 0; k < ROWS && first + k < steps.sequences; k++)
            states[(first + k) * units + unit] = h[k][unit];
}

// Backward, from the last step. cell(row, k, carried, d) puts the gradients of the gates into d. The
// weight (GATES units, units) makes of them the gradient of the state before. cell returns what is
// added to that.
template <int GATES, class Cell>
__device__ void run_back(const Steps& steps, const Real* weight, Real* gradients, Cell cell) {
    __shared__ Real of_gates[ROWS][GATES * UNITS];
    Int units = steps.units, unit = threadIdx.x, first = (Int)blockIdx.x * ROWS;
    Real carried[ROWS] = {}, directly[ROWS] = {};
    for (int k = 0; k < ROWS; k++)
        if (unit < units && first + k < steps.sequences)
            carried[k] = gradients[(first + k) * units + unit];
    for (int t = int(steps.count) - 1; t >= 0; t--) {
        if (unit < units)
            for (int k = 0; k < ROWS; k++) {
                Real d[GATES] = {};
                if (first + k < steps.rows[t])
                    directly[k] = cell(steps.start[t] + first + k, k, carried[k], d);
                for (int gate = 0; gate < GATES; gate++)
                    of_gates[k][gate * units + unit] = d[gate];
            }
        __syncthreads();
        if (unit < units) {
            Real sums[ROWS] = {};
            for (Int j = 0; j < GATES * units; j++) {
                Real w = weight[j * units + unit];
                for (int k = 0; k < ROWS; k++) sums[k] += of_gates[k][j] * w;
            }
            for (int k = 0; k < ROWS; k++)
                if (first + k < steps.rows[t]) carried[k] = sums[k] + directly[k];
        }
        __syncthreads();
    }
    for (int k = 0; k < ROWS; k++)
        if (unit < units && first + k < steps.sequences)
            gradients[(first + k) * units + unit] = carried[k];
}

// ---------------------------------------------------------------- Elman's recurrent network

extern "C" __global__ void rnn(const __grid_constant__ Steps steps, const Real* x,
                               const Real* across, Real* states, Real* hidden, Int rectified) {
    run<1>(steps, across, states, [&](Int row, int k, const Real* sums, Real h) {
        Int at = row * steps.units + threadIdx.x;
        Real z = x[at] + sums[0];
        return hidden[at] = rectified ? (z < 0 ? Real(0) : z) : tanh(z);
    });
}

extern "C" __global__ void rnn_back(const __grid_constant__ Steps steps, const Real* g,
                                    const Real* hidden, const Real* weight, Real* gradients,
                                    Real* d, Int rectified) {
    run_back<1>(steps, weight, gradients, [&](Int row, int k, Real carried, Real* of_gates) {
        Int at = row * steps.units + threadIdx.x;
        Real h = hidden[at];
        Real slope = rectified ? Real(h != 0) : 1 - h * h;
        d[at] = of_gates[0] = (g[at] + carried) * slope;
        return Real(0);
    });
}

// ---------------------------------------------------------------- LSTM: gates i, f, g, o

extern "C" __global__ void lstm(const __grid_constant__ Steps steps, const Real* x,
                                const Real* across, Real* states, Real* cell_states, Real* hidden,
                                Real* cells, Real* gates) {
    Int units = steps.units, unit = threadIdx.x, first = (Int)blockIdx.x * ROWS;
    Real c[ROWS] = {};
    for (int k = 0; k < ROWS; k++)
        if (unit < units && first + k < steps.sequences)
            c[k] = cell_states[(first + k) * units + unit];
    run<4>(steps, across, states, [&](Int row, int k, const Real* sums, Real h) {
        const Real* z = x + row * 4 * units + unit;
        Real* gate = gates + row * 4 * units + unit;
        Real i = sigmoid(z[0] + sums[0]), f = sigmoid(z[units] + sums[1]);
        Real g = tanh(z[2 * units] + sums[2]), o = sigmoid(z[3 * units] + sums[3]);
        gate[0] = i, gate[units] = f, gate[2 * units] = g, gate[3 * units] = o;
        cells[row * units + unit] = c[k] = f * c[k] + i * g;
        return hidden[row * units + unit] = o * tanh(c[k]);
    });
    for (int k = 0; k < ROWS; k++)
        if (unit < units && first + k < steps.sequences)
            cell_states[(first + k) * units + unit] = c[k];
}

// Null gradients are zeros.
extern "C" __global__ void lstm_back(const __grid_constant__ Steps steps, const Real* g_hidden,
                                     const Real* g_cells, const Real* g_gates, const Real* cells,
                                     const Real* cells_before, const Real* gates,
                                     const Real* weight, Real* gradients, Real* cell_gradients,
                                     Real* d) {
    Int units = steps.units, unit = threadIdx.x, first = (Int)blockIdx.x * ROWS;
    Real carried_c[ROWS] = {};
    for (int k = 0; k < ROWS; k++)
        if (unit < units && first + k < steps.sequences)
            carried_c[k] = cell_gradients[(first + k) * units + unit];
    run_back<4>(steps, weight, gradients, [&](Int row, int k, Real carried, Real* of_gates) {
        Int at = row * units + unit, first_gate = row * 4 * units + unit;
        const Real* gate = gates + first_gate;
        Real i = gate[0], f = gate[units], g = gate[2 * units], o = gate[3 * units];
        Real squashed = tanh(cells[at]);
        Real dh = carried + (g_hidden ? g_hidden[at] : Real(0));
        Real dc = carried_c[k] + (g_cells ? g_cells[at] : Real(0))
                  + dh * (o * (1 - squashed * squashed));
        Real slopes[4] = {i * (1 - i), f * (1 - f), 1 - g * g, o * (1 - o)};
        of_gates[0] = dc * (slopes[0] * g);
        of_gates[1] = dc * (slopes[1] * cells_before[at]);
        of_gates[2] = dc * (slopes[2] * i);
        of_gates[3] = dh * (slopes[3] * squashed);
        for (int n = 0; n < 4; n++) {
            if (g_gates) of_gates[n] += g_gates[first_gate + n * units] * slopes[n];
            d[first_gate + n * units] = of_gates[n];
        }
        carried_c[k] = dc * f;
        return Real(0);
    });
    for (int k = 0; k < ROWS; k++)
        if (unit < units && first + k < steps.sequences)
            cell_gradients[(first + k) * units + unit] = carried_c[k];
}

// ---------------------------------------------------------------- GRU: gates r, z, n

extern "C" __global__ void gru(const __grid_constant__ Steps steps, const Real* x,
                               const Real* across, const Real* bias, Real* states, Real* hidden,
                               Real* gates) {
    Int units = steps.units, unit = threadIdx.x;
    run<3>(steps, across, states, [&](Int row, int k, const Real* sums, Real h) {
        const Real* in = x + row * 3 * units + unit;
        Real* gate = gates + row * 3 * units + unit;
        Real own[3];
        for (int n = 0; n < 3; n++) own[n] = bias ? sums[n] + bias[n * units + unit] : sums[n];
        Real r = sigmoid(in[0] + own[0]), z = sigmoid(in[units] + own[1]);
        Real n = tanh(in[2 * units] + r * own[2]);
        gate[0] = r, gate[units] = z, gate[2 * units] = n;
        return hidden[row * units + unit] = n + z * (h - n);
    });
}

// `recurrent` has the products of the states before and the weight of n, plus bias. d is the
// gradient of the input, d_recurrent that of the products.
extern "C" __global__ void gru_back(const __grid_constant__ Steps steps, const Real* g_hidden,
                                    const Real* g_gates, const Real* before,
                                    const Real* recurrent, const Real* gates, const Real* weight,
                                    Real* gradients, Real* d, Real* d_recurrent) {
    Int units = steps.units, unit = threadIdx.x;
    run_back<3>(steps, weight, gradients, [&](Int row, int k, Real carried, Real* of_gates) {
        Int at = row * units + unit, first_gate = row * 3 * units + unit;
        const Real* gate = gates + first_gate;
        Real r = gate[0], z = gate[units], n = gate[2 * units];
        Real dh = carried + (g_hidden ? g_hidden[at] : Real(0));
        Real d_n = dh * (1 - z), d_z = dh * (before[at] - n), d_r = 0;
        if (g_gates) {
            d_r = g_gates[first_gate];
            d_z += g_gates[first_gate + units];
            d_n += g_gates[first_gate + 2 * units];
        }
        d_n *= 1 - n * n;
        d_r = (d_r + d_n * recurrent[at]) * (r * (1 - r));
        d_z *= z * (1 - z);
        Real own[3] = {d_r, d_z, d_n * r};
        for (int i = 0; i < 3; i++) d_recurrent[first_gate + i * units] = of_gates[i] = own[i];
        d[first_gate] = d_r, d[first_gate + units] = d_z, d[first_gate + 2 * units] = d_n;
        return dh * z;
    });
}
