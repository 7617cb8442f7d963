// CUDA C++ compiled as C++ for the CPU, so that tests can run kernels on a machine without a GPU.
//
// Each thread of a block is a fiber with a stack of its own. Blocks run one after the other. Fibers
// change at barriers and warp functions only, in an order that the test chooses. A kernel whose
// result depends on that order lacks a barrier. Shared memory is NaN when a block starts. A barrier
// that some threads of a block never reach ends the launch with an error.
//
// Covered: threadIdx and its like, __shared__, __syncthreads, __syncwarp, __shfl_*_sync,
// __ballot_sync, atomicAdd, atomicMax, and the mathematical functions. Not covered: the order in which real
// threads reach memory between two barriers, and masks of warp functions.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

struct uint3 { unsigned x, y, z; };
typedef uint3 dim3;
static uint3 threadIdx, blockIdx;
static dim3 blockDim, gridDim;

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__
#define __launch_bounds__(...)
#define __grid_constant__
#define __shared__ static __attribute__((aligned(16), section("cuda_shared")))

// The device functions have these names for float and for double.
using std::abs; using std::ceil; using std::copysign; using std::erf; using std::erfc; using std::exp;
using std::expm1; using std::floor; using std::fma; using std::isfinite; using std::isnan;
using std::log; using std::log1p; using std::pow; using std::sqrt; using std::tanh;
template <class T> static T min(T a, T b) { return b < a ? b : a; }
template <class T> static T max(T a, T b) { return a < b ? b : a; }
static inline float rsqrt(float x) { return 1.0f / sqrtf(x); }
static inline double rsqrt(double x) { return 1.0 / sqrt(x); }

// ---------------------------------------------------------------- fibers

extern "C" {
void fiber_switch(void** save_stack, void* stack);
void fiber_start();
extern char __start_cuda_shared[], __stop_cuda_shared[];
}
static char keeps_the_section __attribute__((aligned(16), section("cuda_shared"), used));

// Saves the registers that a call must preserve, and takes those of another stack. System V x86-64.
asm(R"(
.text
fiber_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
fiber_start:
    andq $-16, %rsp
    call fiber_body
)");

enum State { READY, AT_BLOCK_BARRIER, AT_WARP_BARRIER, FINISHED };
struct Fiber { void* stack; State state; uint3 index; };

static const int WARP = 32, MOST_THREADS = 1024, STACK = 1 << 16;
static Fiber fibers[MOST_THREADS];
static char* stacks;
static uint64_t exchanged[MOST_THREADS];  // what each thread gives to a warp function
static void *scheduler, **arguments;
static void (*kernel)(void**);
static int current;

extern "C" __attribute__((used)) void fiber_body() {
    kernel(arguments);
    fibers[current].state = FINISHED;
    fiber_switch(&fibers[current].stack, scheduler);
}

static void wait_at(State barrier) {
    fibers[current].state = barrier;
    fiber_switch(&fibers[current].stack, scheduler);
}

static inline void __syncthreads() { wait_at(AT_BLOCK_BARRIER); }
static inline void __syncwarp(unsigned = ~0u) { wait_at(AT_WARP_BARRIER); }
static inline void __threadfence() {}

// Lets the threads from `first` to `last` go on if all of them are at this barrier.
static bool released(int first, int last, State barrier) {
    for (int i = first; i < last; i++)
        if (fibers[i].state != barrier) return false;
    for (int i = first; i < last; i++) fibers[i].state = READY;
    return true;
}

// The numbers from `first` to `last` as they are (order 0), backwards (1) or shuffled.
static void put_in_order(int* turns, int first, int last, unsigned& order) {
    int count = last - first;
    for (int i = 0; i < count; i++) turns[i] = order == 1 ? last - 1 - i : first + i;
    if (order > 1)
        for (int i = count - 1; i > 0; i--) {
            order = order * 1664525u + 1013904223u;
            std::swap(turns[i], turns[(order >> 8) % (i + 1)]);
        }
}

// Runs each thread of a warp that is ready up to its next barrier.
static bool run_warp(int first, int last, unsigned& order) {
    bool moved = false;
    int turns[WARP];
    put_in_order(turns, first, last, order);
    for (int t = 0; t < last - first; t++) {
        Fiber& fiber = fibers[turns[t]];
        if (fiber.state != READY) continue;
        current = turns[t];
        threadIdx = fiber.index;
        moved = true;
        fiber_switch(&scheduler, fiber.stack);
    }
    return moved | released(first, last, AT_WARP_BARRIER);
}

// Runs one block. False if a barrier was not reached by all of its threads.
static bool run_block(int threads, unsigned order) {
    for (int i = 0; i < threads; i++) {
        void** top = (void**)(stacks + (size_t)STACK * (i + 1)) - 2;
        *--top = (void*)fiber_start;
        fibers[i].stack = top - 6;
        fibers[i].state = READY;
        fibers[i].index = {i % blockDim.x, i / blockDim.x % blockDim.y,
                           i / (blockDim.x * blockDim.y)};
    }
    // A warp runs as far as it can, or, in some orders, one step: then all are nearly abreast.
    bool far = order % 3 != 2;
    int warps = (threads + WARP - 1) / WARP, turns[MOST_THREADS / WARP];
    for (bool moved = true; moved;) {
        moved = false;
        put_in_order(turns, 0, warps, order);
        for (int w = 0; w < warps; w++) {
            int first = turns[w] * WARP, last = min(first + WARP, threads);
            bool ran = run_warp(first, last, order);
            moved |= ran;
            while (far && ran) ran = run_warp(first, last, order);
        }
        moved |= released(0, threads, AT_BLOCK_BARRIER);
    }
    for (int i = 0; i < threads; i++)
        if (fibers[i].state != FINISHED) return false;
    return true;
}

extern "C" int launch(void (*function)(void**), void** given, const unsigned* grid,
                      const unsigned* block, unsigned order) {
    int blocks = grid[0] * grid[1] * grid[2], threads = block[0] * block[1] * block[2];
    if (blocks < 1 || threads < 1 || threads > MOST_THREADS) return 2;
    if (!stacks) stacks = (char*)aligned_alloc(64, (size_t)STACK * MOST_THREADS);
    kernel = function;
    arguments = given;
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    for (int i = 0; i < blocks; i++) {
        unsigned b = order == 1 ? blocks - 1 - i : i;
        blockIdx = {b % gridDim.x, b / gridDim.x % gridDim.y, b / (gridDim.x * gridDim.y)};
        memset(__start_cuda_shared, 0xff, __stop_cuda_shared - __start_cuda_shared);
        if (!run_block(threads, order)) return 1;
    }
    return 0;
}

// ---------------------------------------------------------------- warps and atomics

// The value of another thread of the warp; one's own if there is no such thread.
template <class T> static T of_lane(T value, int lane, bool valid = true) {
    static_assert(sizeof(T) <= sizeof(uint64_t), "a warp function takes 8 bytes at most");
    T got = value;
    int me = current, other = (me & -WARP) + lane;
    memcpy(exchanged + me, &value, sizeof value);
    wait_at(AT_WARP_BARRIER);
    if (valid && other < int(blockDim.x * blockDim.y * blockDim.z))
        memcpy(&got, exchanged + other, sizeof got);
    wait_at(AT_WARP_BARRIER);
    return got;
}

template <class T> static T __shfl_sync(unsigned, T value, int lane) {
    return of_lane(value, lane & (WARP - 1));
}
template <class T> static T __shfl_xor_sync(unsigned, T value, int mask) {
    return of_lane(value, (current & (WARP - 1)) ^ mask);
}
template <class T> static T __shfl_down_sync(unsigned, T value, int distance) {
    int lane = (current & (WARP - 1)) + distance;
    return of_lane(value, lane, lane < WARP);
}

// Between two barriers no other thread runs.
template <class T> static T atomicAdd(T* place, T value) {
    T old = *place;
    *place = old + value;
    return old;
}
template <class T> static T atomicMax(T* place, T value) {
    T old = *place;
    *place = max(old, value);
    return old;
}

// ---------------------------------------------------------------- launches by name

// A launch has the addresses of the arguments, as in cuLaunchKernel.
template <class... A, size_t... I>
static void apply(void (*f)(A...), void** given, std::index_sequence<I...>) {
    f(*(A*)given[I]...);
}
template <class... A> static void apply(void (*f)(A...), void** given) {
    apply(f, given, std::index_sequence_for<A...>{});
}
#define EXPORTED(name) extern "C" void run_##name(void** given) { apply(&name, given); }
