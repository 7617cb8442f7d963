// What the kernels share. This text stands before that of each file. `Real` is float or double.

typedef long long Int;

// A struct among the arguments is read where it is. GPUs before Volta (2017) have no such attribute.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 700
#undef __grid_constant__
#define __grid_constant__
#endif

// The first element of a thread, and the step to its next one, in a loop over all elements.
__device__ inline Int first_element() { return (Int)blockIdx.x * blockDim.x + threadIdx.x; }
__device__ inline Int element_step() { return (Int)gridDim.x * blockDim.x; }

// NVRTC has no INFINITY and NAN.
__device__ inline Real infinity() { return -log(Real(0)); }
__device__ inline Real not_a_number() { return infinity() - infinity(); }

__device__ inline bool is_nan(Real x) { return x != x; }

// As NumPy's maximum: NaN if one of them is.
__device__ inline Real larger(Real a, Real b) { return a > b || is_nan(a) ? a : b; }

__device__ inline Real sigmoid(Real x) {  // exp(-|x|) does not overflow
    Real power = exp(-abs(x));
    return (x < 0 ? power : Real(1)) / (1 + power);
}

// ---------------------------------------------------------------- sums over the threads of a block

// A block has one dimension. Every thread calls these functions, and gets the result.

struct Sum { __device__ Real operator()(Real a, Real b) const { return a + b; } };
struct Larger { __device__ Real operator()(Real a, Real b) const { return larger(a, b); } };

template <class Operation> __device__ Real over_warp(Real value) {
    for (int distance = 16; distance; distance /= 2)
        value = Operation()(value, __shfl_xor_sync(0xffffffffu, value, distance));
    return value;
}

template <class Operation> __device__ Real over_block(Real value, Real neutral) {
    __shared__ Real of_warp[32];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = (blockDim.x + 31) / 32;
    value = over_warp<Operation>(value);
    if (warps == 1) return value;
    __syncthreads();  // the results of an earlier call have been read
    if (lane == 0) of_warp[warp] = value;
    __syncthreads();
    return over_warp<Operation>(lane < warps ? of_warp[lane] : neutral);
}

__device__ inline Real block_sum(Real value) { return over_block<Sum>(value, Real(0)); }
__device__ inline Real block_max(Real value) { return over_block<Larger>(value, -infinity()); }
