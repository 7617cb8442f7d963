// Draws of random numbers. A thread draws a block of `philox.cu`, or several.

// Calls use(i, block) for each block i of a draw. `base`, if there is one, is added to `offset`.
template <class Use>
__device__ inline void for_each_block(Int seed, Int offset, const Int* base, Int blocks, Use use) {
    if (base) offset += *base;
    for (Int i = first_element(); i < blocks; i += element_step())
        use(i, philox((unsigned long long)seed, (unsigned long long)(offset + i)));
}

// Numbers in [0, 1) from the words of a block: four of 24 bits, or two of 53.
constexpr int NUMBERS = sizeof(Real) == 8 ? 2 : 4;

__device__ inline Real uniform(const Block& block, int i) {
    if (sizeof(Real) == 4) return Real(block.word[i] >> 8) * Real(1.0 / (1 << 24));
    unsigned long long bits = (unsigned long long)block.word[2 * i] << 21
                              | block.word[2 * i + 1] >> 11;
    return Real(double(bits) * (1.0 / (1ull << 53)));
}

extern "C" __global__ void random_words(Int seed, Int offset, const Int* base, unsigned int* out,
                                        Int count) {
    for_each_block(seed, offset, base, (count + 3) / 4, [&](Int i, const Block& block) {
        for (int j = 0; j < 4 && 4 * i + j < count; ++j) out[4 * i + j] = block.word[j];
    });
}

extern "C" __global__ void random_less(Int seed, Int offset, const Int* base, bool* out, Int count,
                                       Int bound) {
    for_each_block(seed, offset, base, (count + 3) / 4, [&](Int i, const Block& block) {
        for (int j = 0; j < 4 && 4 * i + j < count; ++j)
            out[4 * i + j] = (Int)block.word[j] < bound;
    });
}

extern "C" __global__ void random_uniform(Int seed, Int offset, const Int* base, Real* out,
                                          Int count) {
    Int blocks = (count + NUMBERS - 1) / NUMBERS;
    for_each_block(seed, offset, base, blocks, [&](Int i, const Block& block) {
        for (int j = 0; j < NUMBERS && NUMBERS * i + j < count; ++j)
            out[NUMBERS * i + j] = uniform(block, j);
    });
}

extern "C" __global__ void random_normal(Int seed, Int offset, const Int* base, Real* out,
                                         Int count) {
    Int blocks = (count + NUMBERS - 1) / NUMBERS;
    for_each_block(seed, offset, base, blocks, [&](Int i, const Block& block) {
        for (int j = 0; j < NUMBERS && NUMBERS * i + j < count; j += 2) {
            Real radius = sqrt(-2 * log1p(-uniform(block, j)));
            Real angle = uniform(block, j + 1) * Real(6.283185307179586);
            out[NUMBERS * i + j] = radius * cos(angle);
            if (NUMBERS * i + j + 1 < count) out[NUMBERS * i + j + 1] = radius * sin(angle);
        }
    });
}
