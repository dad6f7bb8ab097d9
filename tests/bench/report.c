/* report.c - figures by name: lines for people, or one JSON object. */
#include "bench.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

enum { FIGURES_MAX = 256, NAME_BYTES = 64, TEXT_BYTES = 128 };

static struct figure {
    char name[NAME_BYTES];
    char text[TEXT_BYTES]; /* as JSON */
    char note[TEXT_BYTES]; /* only for people */
    bool silent;           /* not for people: a note has it */
} figures[FIGURES_MAX];
static size_t figures_count;

static struct figure *add(const char *format, va_list arguments) {
    if (figures_count == FIGURES_MAX)
        die("too many figures");
    struct figure *figure = &figures[figures_count++];
    vsnprintf(figure->name, sizeof figure->name, format, arguments);
    return figure;
}

/* Four digits are more than any of these measurements is good for. */
static void write_number(struct figure *figure, double value) {
    if (!isfinite(value))
        snprintf(figure->text, sizeof figure->text, "null");
    else if (fabs(value) >= 1000 || value == floor(value))
        snprintf(figure->text, sizeof figure->text, "%.0f", value);
    else
        snprintf(figure->text, sizeof figure->text, "%.4g", value);
}

void report_number(double value, const char *name, ...) {
    va_list arguments;
    va_start(arguments, name);
    write_number(add(name, arguments), value);
    va_end(arguments);
}

static void add_text(const char *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    struct figure *figure = add(format, arguments);
    va_end(arguments);
    size_t size = 0;
    figure->text[size++] = '"';
    for (; *text != '\0' && *text != '\n' && size < sizeof figure->text - 3; text++) {
        if (*text == '"' || *text == '\\')
            figure->text[size++] = '\\';
        figure->text[size++] = *text;
    }
    figure->text[size++] = '"';
    figure->text[size] = '\0';
}

void report_text(const char *value, const char *name) {
    add_text(value, "%s", name);
}

static void add_summary(const struct summary *summary, const char *format, va_list arguments) {
    char base[NAME_BYTES];
    char min[TEXT_BYTES], max[TEXT_BYTES]; /* copies: gcc takes figures for one object */
    vsnprintf(base, sizeof base, format, arguments);
    report_number(summary->median, "%s", base);
    struct figure *median = &figures[figures_count - 1];
    report_number(summary->min, "%s_min", base);
    report_number(summary->max, "%s_max", base);
    median[1].silent = median[2].silent = true;
    snprintf(min, sizeof min, "%s", median[1].text);
    snprintf(max, sizeof max, "%s", median[2].text);
    if (summary->min < summary->max)
        snprintf(median->note, sizeof median->note, "  (%.30s to %.30s)", min, max);
}

void report_summary(const struct summary *summary, const char *name, ...) {
    va_list arguments;
    va_start(arguments, name);
    add_summary(summary, name, arguments);
    va_end(arguments);
}

void report_median(const double *values, size_t count, const char *name, ...) {
    struct summary summary = summarise(values, count);
    va_list arguments;
    va_start(arguments, name);
    add_summary(&summary, name, arguments);
    va_end(arguments);
}

static void read_processor(char *text, size_t capacity) {
    char line[256];
    snprintf(text, capacity, "unknown");
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || colon == NULL)
            continue;
        snprintf(text, capacity, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    if (file != NULL)
        fclose(file);
}

void report_print(const struct settings *settings) {
    struct utsname system;
    char processor[64];
    uname(&system);
    read_processor(processor, sizeof processor);
    report_text(processor, "processor");
    report_text(system.release, "kernel");
    report_text(wsfan_version(), "wsfan_version");
    if (settings->json)
        printf("{\n  \"command\": \"%s\"", settings->command);
    for (const struct figure *f = figures; f < figures + figures_count; f++) {
        if (settings->json)
            printf(",\n  \"%s\": %s", f->name, f->text);
        else if (!f->silent)
            printf("%-40s %s%s\n", f->name, f->text, f->note);
    }
    if (settings->json)
        printf("\n}\n");
}
