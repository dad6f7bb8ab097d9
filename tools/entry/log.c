/* log.c - one line for each event on standard error, as text or as JSON. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "entry.h"

enum { TIME_SIZE = 40, TEXT_SIZE = 1024, LINE_SIZE = 4096 };

/* UTC, as of RFC 3339. */
static void write_time(char out[TIME_SIZE]) {
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t size = strftime(out, TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out + size, TIME_SIZE - size, ".%03ldZ", now.tv_nsec / 1000000);
}

size_t json_string(char *out, size_t size, const char *text) {
    size_t used = 0;
    size_t rest = strlen(text);
    bool utf8 = wsf_text_is_utf8(text, rest);
    if (size < 3)
        return 0;
    out[used++] = '"';
    for (; *text != '\0' && used + 8 < size; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            out[used++] = '\\';
            out[used++] = (char)c;
        } else if (c < 0x20 || c == 0x7F || (c >= 0x80 && !utf8)) {
            used += (size_t)snprintf(out + used, size - used, "\\u%04x", c);
        } else {
            out[used++] = (char)c;
        }
    }
    while (*text != '\0' && used > 0 && ((unsigned char)out[used - 1] & 0xC0) == 0x80)
        used--; /* no half of a character at its end */
    if (*text != '\0' && ((unsigned char)out[used - 1] & 0xC0) == 0xC0)
        used--;
    out[used++] = '"';
    out[used] = '\0';
    return used;
}

static void write_line(const struct entry *entry, wsfan_level level, const char *code,
                       const char *text) {
    char time[TIME_SIZE];
    char line[LINE_SIZE];
    if ((int)level < entry->options.log_level)
        return;
    write_time(time);
    if (entry->options.log_json) {
        int used = snprintf(line, sizeof line,
                            "{\"time\":\"%s\",\"level\":\"%s\",\"code\":\"%s\",\"text\":", time,
                            wsfan_level_name(level), code);
        json_string(line + used, sizeof line - (size_t)used - 2, text);
        fprintf(stderr, "%s}\n", line);
    } else {
        fprintf(stderr, "%s %s %s %s\n", time, wsfan_level_name(level), code, text);
    }
}

void log_line(const struct entry *entry, wsfan_level level, const char *code, const char *format,
              ...) {
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *c = text; *c != '\0'; c++) /* in one line, for terminals */
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = '?';
    write_line(entry, level, code, text);
}

void log_event(void *loop_user, const wsfan_event *event) {
    write_line(loop_user, event->level, event->code, event->text);
}
