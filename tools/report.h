/* What the doctor says. */
#ifndef WSFAN_REPORT_H
#define WSFAN_REPORT_H

#include <stdbool.h>
#include <wsfan/options.h>

enum { DIAGNOSES_COUNT_MAX = 16, SAID_SIZE = 1024 };

struct diagnosis {
    int status; /* a FOUND_ */
    char cause[SAID_SIZE];
    char cure[SAID_SIZE];
};

struct report {
    bool json;
    const char *target; /* the endpoint that is examined */
    struct diagnosis diagnoses[DIAGNOSES_COUNT_MAX];
    unsigned count;
};

enum mark { WELL, ILL, NOTE };

void report_target(struct report *report, const char *endpoint);

/* A step and how it went. */
__attribute__((format(printf, 4, 5))) void report_step(const struct report *report, enum mark mark,
                                                       const char *step, const char *format, ...);

/* What is wrong; report_cure() follows, for what to do. */
__attribute__((format(printf, 3, 4))) void report_cause(struct report *report, int status,
                                                        const char *format, ...);
__attribute__((format(printf, 2, 3))) void report_cure(struct report *report, const char *format,
                                                       ...);

/* Prints the diagnoses; returns the status of the first. */
int report_end(const struct report *report);

#endif
