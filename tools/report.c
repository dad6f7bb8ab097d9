/* report.c - the doctor's words, for people or as JSON. */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tool.h"

/* The names of diagnoses, for programs. */
static const char *name_of(int status) {
    static const char *const names[] = { "name",    "refused", "unreached",  "foreign",
                                         "plain",   "keyed",   "key",        "not_allowed",
                                         "cluster", "version", "twice",      "limit",
                                         "other",   "one_way", "advertised", "strangers",
                                         "silent",  "payload", "no_node" };
    return names[status - FOUND_NAME];
}

void report_target(struct report *report, const char *endpoint) {
    report->target = endpoint;
    if (report->json)
        return;
    print_text(stdout, endpoint, strlen(endpoint));
    putchar('\n');
    fflush(stdout);
}

/* Breaks a text at blanks into lines, each after the first behind `indent`. */
static void print_wrapped(const char *text, int indent) {
    enum { WIDTH = 96 };
    int column = indent;
    while (*text != '\0') {
        int size = (int)strcspn(text, " ");
        if (column > indent && column + 1 + size > WIDTH) {
            printf("\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            putchar(' ');
            column++;
        }
        print_text(stdout, text, (size_t)size);
        column += size;
        text += size;
        text += strspn(text, " ");
    }
    putchar('\n');
}

void report_step(const struct report *report, enum mark mark, const char *step, const char *format,
                 ...) {
    static const char *const marks[] = { "ok", "FAILED", "note" };
    char text[SAID_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (report->json) {
        json_begin();
        json_string("endpoint", report->target);
        json_string("step", step);
        json_string("result", mark == ILL ? "failed" : marks[mark]);
        json_string("text", text);
        json_end();
        return;
    }
    printf("  %-6s  %-9s ", marks[mark], step);
    print_wrapped(text, 20);
    fflush(stdout);
}

void report_cause(struct report *report, int status, const char *format, ...) {
    if (report->count == DIAGNOSES_COUNT_MAX)
        report->count--; /* the last one makes room */
    struct diagnosis *diagnosis = &report->diagnoses[report->count++];
    va_list arguments;
    *diagnosis = (struct diagnosis){ .status = status };
    va_start(arguments, format);
    vsnprintf(diagnosis->cause, sizeof diagnosis->cause, format, arguments);
    va_end(arguments);
}

void report_cure(struct report *report, const char *format, ...) {
    struct diagnosis *diagnosis = &report->diagnoses[report->count - 1];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(diagnosis->cure, sizeof diagnosis->cure, format, arguments);
    va_end(arguments);
}

static void print_diagnosis(const struct diagnosis *diagnosis, bool json) {
    if (json) {
        json_begin();
        json_string("diagnosis", name_of(diagnosis->status));
        json_count("status", (uint64_t)diagnosis->status);
        json_string("cause", diagnosis->cause);
        json_string("cure", diagnosis->cure);
        json_end();
        return;
    }
    fputs("\nWrong:  ", stdout);
    print_wrapped(diagnosis->cause, 8);
    fputs("To do:  ", stdout);
    print_wrapped(diagnosis->cure, 8);
}

int report_end(const struct report *report) {
    for (unsigned i = 0; i < report->count; i++)
        print_diagnosis(&report->diagnoses[i], report->json);
    if (report->count == 0 && !report->json)
        puts("\nAll is well.");
    return report->count > 0 ? report->diagnoses[0].status : STATUS_OK;
}
