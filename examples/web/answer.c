/* answer.c - the bytes of an answer: its head (RFC 9112, section 4), then its body. */
#include "connection.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { HEAD_ROOM = 4096 };

static const char *text_of(unsigned status) {
    static const struct {
        unsigned status;
        const char *text;
    } texts[] = { { 200, "OK" },
                  { 201, "Created" },
                  { 307, "Temporary Redirect" },
                  { 400, "Bad Request" },
                  { 401, "Unauthorized" },
                  { 403, "Forbidden" },
                  { 404, "Not Found" },
                  { 405, "Method Not Allowed" },
                  { 408, "Request Timeout" },
                  { 409, "Conflict" },
                  { 411, "Length Required" },
                  { 413, "Content Too Large" },
                  { 414, "URI Too Long" },
                  { 415, "Unsupported Media Type" },
                  { 417, "Expectation Failed" },
                  { 421, "Misdirected Request" },
                  { 422, "Unprocessable Content" },
                  { 426, "Upgrade Required" },
                  { 431, "Request Header Fields Too Large" },
                  { 500, "Internal Server Error" },
                  { 501, "Not Implemented" },
                  { 503, "Service Unavailable" },
                  { 505, "HTTP Version Not Supported" } };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].status == status)
            return texts[i].text;
    return ""; /* the phrase may be empty */
}

/* RFC 9110, section 5.6.7. Not by strftime(), whose names of days are those of the locale. */
static const char *date(struct web_thread *thread) {
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = time(NULL);
    struct tm utc;
    if (now == thread->date_s || gmtime_r(&now, &utc) == NULL)
        return thread->date;
    thread->date_s = now;
    snprintf(thread->date, sizeof thread->date, "%.3s, %02d %.3s %d %02d:%02d:%02d GMT",
             days + 3 * utc.tm_wday, utc.tm_mday, months + 3 * utc.tm_mon, utc.tm_year + 1900,
             utc.tm_hour, utc.tm_min, utc.tm_sec);
    return thread->date;
}

struct text {
    char bytes[HEAD_ROOM];
    size_t size;
    bool failed;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text->bytes + text->size, sizeof text->bytes - text->size, format,
                         arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= sizeof text->bytes - text->size)
        text->failed = true;
    else
        text->size += (size_t)size;
}

struct web_frame *answer_new(struct web_thread *thread, unsigned status, const char *type,
                             const char *const *headers, const void *body, size_t size,
                             bool head_only, bool keep_alive) {
    struct text head;
    head.size = 0;
    head.failed = false;
    add(&head, "HTTP/1.1 %u %s\r\ndate: %s\r\n", status, text_of(status), date(thread));
    add(&head, "content-type: %s\r\ncontent-length: %zu\r\n", type, size);
    add(&head, "connection: %s\r\n", keep_alive ? "keep-alive" : "close");
    add(&head, "cache-control: no-store\r\nx-content-type-options: nosniff\r\n");
    for (; headers != NULL && headers[0] != NULL; headers += 2)
        add(&head, "%s: %s\r\n", headers[0], headers[1]);
    add(&head, "\r\n");
    size_t body_size = head_only ? 0 : size;
    struct web_frame *frame = head.failed ? NULL : frame_alloc(head.size + body_size);
    if (frame == NULL)
        return NULL;
    memcpy(frame->bytes, head.bytes, head.size);
    if (body_size > 0)
        memcpy(frame->bytes + head.size, body, body_size);
    return frame;
}
