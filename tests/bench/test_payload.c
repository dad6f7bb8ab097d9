/* test_payload.c - a benchmark that does not notice wrong data is worth nothing: each way in which
 * a payload can be wrong ends the process that takes it. */
#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 200 };

enum mistake {
    NONE,
    ONE_BIT,
    SHORT,
    LONG,
    SKIPPED,
    TWICE,
    OF_ANOTHER,
    OF_ANOTHER_SINK,
    OF_ANOTHER_THREAD,
    OF_NO_THREAD,
    MISTAKES
};

static const char *const names[MISTAKES] = { "none",
                                             "one bit",
                                             "too short",
                                             "too long",
                                             "skipped",
                                             "twice",
                                             "bytes of another",
                                             "for another sink",
                                             "ahead of its thread",
                                             "of a thread that there is not" };

/* The numbers of two threads by turns, each counted by itself; of these the odd ones are for the sink. */
static uint64_t number_of(enum mistake mistake, uint64_t i) {
    uint64_t count = i / 2 * 2 + 1;
    if (mistake == OF_ANOTHER_SINK && i == 10)
        count--;
    if (mistake == OF_ANOTHER_THREAD && i == 10)
        return payload_number(2, count);
    if (mistake == OF_NO_THREAD && i == 10)
        return payload_number(PUBLISHERS_MAX, count);
    return payload_number((unsigned)i % 2, count);
}

static void take_with(enum mistake mistake) {
    static struct worker worker;
    struct source source;
    struct sink sink;
    uint8_t payload[SIZE + 1] = { 0 };
    source_init(&source, SIZE);
    sink_init(&sink, SIZE, false, &worker);
    sink_expect(&sink, 1, 2);
    for (uint64_t i = 0; i < 20; i++) {
        if (mistake == SKIPPED && i == 10)
            continue;
        memcpy(payload, source_make(&source, number_of(mistake, i), 0), SIZE);
        if (mistake == ONE_BIT && i == 10)
            payload[SIZE - 1] ^= 1;
        if (mistake == OF_ANOTHER && i == 10)
            memcpy(payload + 100, source_make(&source, number_of(mistake, i) + 1, 0) + 100, 100);
        sink_take(&sink, payload, mistake == SHORT ? SIZE - 1 : mistake == LONG ? SIZE + 1 : SIZE);
        if (mistake == TWICE)
            sink_take(&sink, payload, SIZE);
    }
}

int main(void) {
    int failed = 0;
    for (int mistake = NONE; mistake < MISTAKES; mistake++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            take_with((enum mistake)mistake);
            _exit(0);
        }
        waitpid(pid, &status, 0);
        bool noticed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
        if (noticed != (mistake != NONE)) {
            printf("%s: %s\n", names[mistake], noticed ? "refused" : "not noticed");
            failed = 1;
        }
    }
    return failed;
}
