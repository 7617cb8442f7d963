// Random numbers by Philox4x32-10 (Salmon et al. 2011): each thread computes a block of four words
// from the seed and the number of the block, as `arrays/philox.py` does in array language.

struct Block { unsigned int word[4]; };

__device__ inline Block philox(unsigned long long seed, unsigned long long number) {
    unsigned int a = (unsigned int)number, b = (unsigned int)(number >> 32), c = 0, d = 0;
    unsigned int low = (unsigned int)seed, high = (unsigned int)(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        unsigned long long first = (unsigned long long)a * 0xD2511F53u;
        unsigned long long second = (unsigned long long)c * 0xCD9E8D57u;
        a = (unsigned int)(second >> 32) ^ b ^ low;
        b = (unsigned int)second;
        c = (unsigned int)(first >> 32) ^ d ^ high;
        d = (unsigned int)first;
        low += 0x9E3779B9u;
        high += 0xBB67AE85u;
    }
    return {{a, b, c, d}};
}

// A word of a block. An index that is not a constant would put the block into memory.
__device__ inline unsigned int word_of(const Block& block, int i) {
    return i < 2 ? (i == 0 ? block.word[0] : block.word[1])
                 : (i == 2 ? block.word[2] : block.word[3]);
}
