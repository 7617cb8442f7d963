// A table of the arrays of many parameters, for one launch over all of them.
//
// The launch carries the addresses and sizes of all arrays by value: with the other arguments, they
// take 4 KiB at most. They are divided into chunks, which the blocks take in turn.

const int ROWS = 70, ARRAYS = 5, CHUNK = 4096;  // as in optim.py

struct Row {  // a parameter
    Real* array[ARRAYS];  // the parameter, its gradient, its state
    Int size;
    Int first;  // the number of its first chunk
};
struct Table {
    Int rows, chunks;
    Row row[ROWS];
};

// Calls body(row, start, stop) for the chunks of this block, in each of which a thread has the
// elements start + threadIdx.x, start + threadIdx.x + blockDim.x, ...
template <class Body> __device__ void for_each_chunk(const Table& table, Body body) {
    int row = 0;
    for (Int chunk = blockIdx.x; chunk < table.chunks; chunk += gridDim.x) {
        while (row + 1 < table.rows && table.row[row + 1].first <= chunk) row++;
        Int start = (chunk - table.row[row].first) * CHUNK;
        Int rest = table.row[row].size - start;
        body(row, start, start + (rest < CHUNK ? rest : CHUNK), chunk);
    }
}

template <class Body> __device__ void for_each_element(const Table& table, Body body) {
    for_each_chunk(table, [&](int row, Int start, Int stop, Int) {
        for (Int i = start + threadIdx.x; i < stop; i += blockDim.x) body(row, i);
    });
}

// The gradient to descend along: with an L2 penalty, and negated (sign -1) to maximise.
__device__ inline Real direction(Real g, Real p, Real sign, Real penalty) {
    g *= sign;
    return penalty != 0 ? g + penalty * p : g;
}
