#include "tool.h"

int bench_run(const struct options *options) {
    (void)options;
    return STATUS_FAILED;
}
