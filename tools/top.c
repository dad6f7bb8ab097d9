#include "tool.h"

int top_run(const struct options *options) {
    (void)options;
    return STATUS_FAILED;
}
