/* payload.c - what is sent, and the check of every byte that arrives.
 *
 * A payload costs its maker 16 bytes of writing and its taker one memcmp(), so that the transports
 * are what is measured. VARIANTS different fillings show when bytes of two messages are mixed. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

enum { VARIANTS = 16, HEAD_SIZE = 16, PUBLISHER_SHIFT = 56 };

void source_init(struct source *source, size_t size) {
    source->size = size;
    source->variants = malloc(size * VARIANTS);
    if (source->variants == NULL)
        die("out of memory");
    uint64_t random = 88172645463325252u; /* xorshift64, Marsaglia 2003 */
    for (size_t i = 0; i < size * VARIANTS; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        source->variants[i] = (uint8_t)(random >> 32);
    }
}

static uint8_t *variant_of(const struct source *source, uint64_t number) {
    return source->variants + number % VARIANTS * source->size;
}

uint64_t payload_number(unsigned publisher, uint64_t count) {
    return (uint64_t)publisher << PUBLISHER_SHIFT | count;
}

const uint8_t *source_make(struct source *source, uint64_t number, int64_t time_ns) {
    uint8_t *payload = variant_of(source, number);
    memcpy(payload, &number, 8);
    memcpy(payload + 8, &time_ns, 8);
    return payload;
}

void sink_init(struct sink *sink, size_t size, bool timed, struct worker *worker) {
    memset(sink, 0, sizeof *sink);
    source_init(&sink->expected, size);
    sink->timed = timed;
    sink->worker = worker;
    sink_expect(sink, 0, 1);
}

void sink_expect(struct sink *sink, uint64_t first, uint64_t step) {
    for (unsigned i = 0; i < PUBLISHERS_MAX; i++)
        sink->next[i] = payload_number(i, first);
    sink->step = step;
}

void sample_add(struct worker *worker, int64_t ns) {
    if (worker->samples_count < SAMPLES_MAX)
        worker->samples_ns[worker->samples_count++] = ns < 0            ? 0
                                                      : ns > UINT32_MAX ? UINT32_MAX
                                                                        : (uint32_t)ns;
}

static void check_size(const struct source *source, size_t size) {
    if (size != source->size)
        die("a payload of %zu bytes instead of %zu", size, source->size);
}

static void check_number(uint64_t number, uint64_t expected) {
    if (number != expected)
        die("payload %llu instead of %llu", (unsigned long long)number,
            (unsigned long long)expected);
}

static void check_filling(const struct source *source, uint64_t number, const uint8_t *payload) {
    if (memcmp(payload + HEAD_SIZE, variant_of(source, number) + HEAD_SIZE,
               source->size - HEAD_SIZE) != 0)
        die("payload %llu has wrong bytes", (unsigned long long)number);
}

void source_check(const struct source *source, uint64_t expected, const void *data, size_t size) {
    uint64_t number;
    check_size(source, size);
    memcpy(&number, data, 8);
    check_number(number, expected);
    check_filling(source, number, data);
}

void sink_take(struct sink *sink, const void *data, size_t size) {
    const uint8_t *bytes = data;
    uint64_t number;
    int64_t time_ns;
    check_size(&sink->expected, size);
    memcpy(&number, bytes, 8);
    memcpy(&time_ns, bytes + 8, 8);
    if (sink->timed)
        sample_add(sink->worker, now_ns() - time_ns);
    uint64_t publisher = number >> PUBLISHER_SHIFT;
    if (publisher >= PUBLISHERS_MAX)
        die("payload %llu is of nobody", (unsigned long long)number);
    check_number(number, sink->next[publisher]);
    check_filling(&sink->expected, number, bytes);
    sink->next[publisher] += sink->step;
    sink->count++;
    atomic_store_explicit(&sink->worker->received, sink->count, memory_order_release);
}
