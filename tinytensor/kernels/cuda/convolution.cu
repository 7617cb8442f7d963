// Windows of images for convolutions of one to three dims, and depthwise convolutions.

const int DIMS = 3;  // missing ones, the first, have size 1

struct Frame {  // as in ops/convolution.py
    Int size[DIMS], out[DIMS], kernel[DIMS], stride[DIMS], padding[DIMS], dilation[DIMS];
    __device__ Int pixels() const { return size[0] * size[1] * size[2]; }
    __device__ Int positions() const { return out[0] * out[1] * out[2]; }
    __device__ Int taps() const { return kernel[0] * kernel[1] * kernel[2]; }

    // The pixel that a tap reads for the window at a position; -1 in the padding.
    __device__ Int pixel(Int position, Int tap) const {
        Int at = 0, step = 1;
        for (int d = DIMS - 1; d >= 0; d--) {
            Int p = position % out[d] * stride[d] + tap % kernel[d] * dilation[d] - padding[d];
            if (p < 0 || p >= size[d]) return -1;
            at += p * step;
            step *= size[d];
            position /= out[d];
            tap /= kernel[d];
        }
        return at;
    }

    // The position of the window that reads a pixel by a tap; -1 if there is none.
    __device__ Int position(Int pixel, Int tap) const {
        Int at = 0, step = 1;
        for (int d = DIMS - 1; d >= 0; d--) {
            Int start = pixel % size[d] + padding[d] - tap % kernel[d] * dilation[d];
            if (start < 0 || start % stride[d] || start / stride[d] >= out[d]) return -1;
            at += start / stride[d] * step;
            step *= out[d];
            pixel /= size[d];
            tap /= kernel[d];
        }
        return at;
    }
};

// The element of the columns for image n, row c taps + tap, and a position is at
// n image_step + row row_step + position.

// With `others`, copies the channels of those images, which have a pixel for each position, to rows
// of the same steps as well.
extern "C" __global__ void copy_windows(const __grid_constant__ Frame frame, const Real* x,
                                        Real* columns, Int images, Int channels, Int image_step,
                                        Int row_step, const Real* others, Real* other_rows,
                                        Int other_channels) {
    Int positions = frame.positions(), taps = frame.taps(), rows = channels * taps;
    Int count = images * rows * positions;
    Int all = others ? count + images * other_channels * positions : count;
    for (Int i = first_element(); i < all; i += element_step()) {
        if (i >= count) {
            Int j = i - count, row = j / positions % other_channels;
            Int n = j / positions / other_channels;
            other_rows[n * image_step + row * row_step + j % positions] = others[j];
            continue;
        }
        Int position = i % positions, row = i / positions % rows, n = i / positions / rows;
        Int pixel = frame.pixel(position, row % taps);
        columns[n * image_step + row * row_step + position] =
            pixel < 0 ? Real(0) : x[(n * channels + row / taps) * frame.pixels() + pixel];
    }
}

extern "C" __global__ void add_windows(const __grid_constant__ Frame frame, const Real* columns,
                                       Real* x, Int images, Int channels, Int image_step,
                                       Int row_step) {
    Int pixels = frame.pixels(), taps = frame.taps();
    for (Int i = first_element(); i < images * channels * pixels; i += element_step()) {
        Int pixel = i % pixels, c = i / pixels % channels, n = i / pixels / channels;
        Real sum = 0;
        for (Int tap = 0; tap < taps; tap++) {
            Int position = frame.position(pixel, tap);
            if (position >= 0)
                sum += columns[n * image_step + (c * taps + tap) * row_step + position];
        }
        x[i] = sum;
    }
}

extern "C" __global__ void add_to_channels(Real* x, const Real* bias, Int size, Int channels,
                                           Int positions) {
    for (Int i = first_element(); i < size; i += element_step())
        x[i] += bias[i / positions % channels];
}

// ---------------------------------------------------------------- one input channel per group

// `outs` channels of the output belong to each of the `channels` of the input.

extern "C" __global__ void depthwise(const __grid_constant__ Frame frame, const Real* x,
                                     const Real* weight, const Real* bias, Real* out, Int images,
                                     Int channels, Int outs) {
    Int positions = frame.positions(), taps = frame.taps(), made = channels * outs;
    for (Int i = first_element(); i < images * made * positions; i += element_step()) {
        Int position = i % positions, o = i / positions % made, n = i / positions / made;
        const Real* image = x + (n * channels + o / outs) * frame.pixels();
        Real sum = 0;
        for (Int tap = 0; tap < taps; tap++) {
            Int pixel = frame.pixel(position, tap);
            if (pixel >= 0) sum += image[pixel] * weight[o * taps + tap];
        }
        out[i] = bias ? sum + bias[o] : sum;
    }
}

extern "C" __global__ void depthwise_input(const __grid_constant__ Frame frame, const Real* g,
                                           const Real* weight, Real* d, Int images, Int channels,
                                           Int outs) {
    Int pixels = frame.pixels(), taps = frame.taps();
    for (Int i = first_element(); i < images * channels * pixels; i += element_step()) {
        Int pixel = i % pixels, c = i / pixels % channels, n = i / pixels / channels;
        Real sum = 0;
        for (Int tap = 0; tap < taps; tap++) {
            Int position = frame.position(pixel, tap);
            if (position < 0) continue;
            for (Int o = c * outs; o < (c + 1) * outs; o++)
                sum += g[(n * channels * outs + o) * frame.positions() + position]
                       * weight[o * taps + tap];
        }
        d[i] = sum;
    }
}

// A block for each element of the weight.
extern "C" __global__ void depthwise_weight(const __grid_constant__ Frame frame, const Real* x,
                                            const Real* g, Real* d, Int images, Int channels,
                                            Int outs) {
    Int positions = frame.positions(), taps = frame.taps(), made = channels * outs;
    for (Int i = blockIdx.x; i < made * taps; i += gridDim.x) {
        Int tap = i % taps, o = i / taps;
        Real sum = 0;
        for (Int k = threadIdx.x; k < images * positions; k += blockDim.x) {
            Int position = k % positions, n = k / positions;
            Int pixel = frame.pixel(position, tap);
            if (pixel >= 0)
                sum += x[(n * channels + o / outs) * frame.pixels() + pixel]
                       * g[(n * made + o) * positions + position];
        }
        sum = block_sum(sum);
        if (threadIdx.x == 0) d[i] = sum;
    }
}
