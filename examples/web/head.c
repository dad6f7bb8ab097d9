/* head.c - the head of a request (RFC 9112; section numbers below are of it, if no other RFC is named).
 *
 * One state for each place in the grammar; each step takes the bytes that its state is for, so the reader stops
 * and goes on anywhere. Tokens are known by where they begin, relative to the first byte, and judged at their end. */
#include "head.h"

#include <string.h>

/* The status and the reason that a request is refused with. */
struct problem {
    unsigned status;
    const char *reason;
};

enum state {
    START, /* an empty line may come, or the method */
    START_LF,
    METHOD,
    TARGET,
    VERSION,
    LINE_LF, /* of the request line */
    FIELD,   /* the first byte of a field line, or of the empty line */
    NAME,
    VALUE,
    VALUE_LF,
    END_LF
};

/* head_reader.flags */
enum {
    HOST = 1,
    LENGTH = 2,
    UPGRADE = 4,
    /* Options of Connection */
    CLOSE = 8,
    KEEP_ALIVE = 16,
    TO_UPGRADE = 32,
    /* Expectations */
    CONTINUE = 64,
    OTHER_EXPECTATION = 128
};

/* head_reader.flags2: codings of Transfer-Encoding */
enum { CODED = 1, CHUNKED_LAST = 2, CHUNKED = 4, CHUNKED_TWICE = 8, OTHER_CODING = 16 };

/* head_reader.method: behind the methods of enum head_method */
enum { CONNECT = HEAD_PATCH + 1, UNKNOWN };

static const char *const methods[] = { "GET",     "HEAD",  "POST",  "PUT",    "DELETE",
                                       "OPTIONS", "TRACE", "PATCH", "CONNECT" };

static const struct problem no_line = { 400, "the request line is not METHOD TARGET HTTP/1.1" };
static const struct problem no_field = { 400, "a header line is not NAME: VALUE" };
static const struct problem no_crlf = { 400, "a line does not end with CR LF" };
static const struct problem long_method = { 501, "the method is not known here" };
static const struct problem long_target = { 414, "the target is longer than 8 KB" };
static const struct problem long_head = { 431, "the headers are longer than 16 KB" };

const char *head_method_text(enum head_method method) {
    return methods[method];
}

static struct slice token(const struct head_reader *reader, const char *bytes) {
    return (struct slice){ bytes + reader->start, (size_t)(reader->at - reader->start) };
}

/* Goes on behind the byte that ends a token. */
static void enter(struct head_reader *reader, enum state state) {
    reader->at++;
    reader->start = reader->at;
    reader->state = (uint8_t)state;
}

/* The end of the run of bytes of a class. */
static uint16_t skip(const struct head_reader *reader, const char *bytes, size_t size,
                     unsigned class) {
    size_t at = reader->at;
    while (at < size && (syntax_classes[(unsigned char)bytes[at]] & class) != 0)
        at++;
    return (uint16_t)at;
}

/* ------------------------------------------------------------------------------- request line */

static void find_method(struct head_reader *reader, struct slice name) {
    reader->method = 0;
    while (reader->method < UNKNOWN && !slice_is(name, methods[reader->method]))
        reader->method++;
}

static const struct problem *read_method(struct head_reader *reader, const char *bytes,
                                         size_t size) {
    reader->at = skip(reader, bytes, size, SYNTAX_TCHAR);
    if (reader->at - reader->start > HEAD_METHOD_BYTES_MAX)
        return &long_method; /* RFC 9110, section 9.1 */
    if (reader->at == size)
        return NULL;
    if (bytes[reader->at] != ' ' || reader->at == reader->start)
        return &no_line;
    find_method(reader, token(reader, bytes));
    enter(reader, TARGET);
    return NULL;
}

static const struct problem *read_target(struct head_reader *reader, const char *bytes,
                                         size_t size) {
    reader->at = skip(reader, bytes, size, SYNTAX_TARGET);
    reader->target_size = (uint16_t)(reader->at - reader->start);
    if (reader->target_size > HEAD_TARGET_BYTES_MAX)
        return &long_target; /* 3 */
    if (reader->at == size)
        return NULL;
    if (bytes[reader->at] != ' ')
        return &no_line;
    reader->target_at = reader->start;
    enter(reader, VERSION);
    return NULL;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* 2.3: HTTP/DIGIT.DIGIT, in capitals */
static const struct problem *read_version(struct head_reader *reader, const char *bytes,
                                          size_t size) {
    static const char pattern[] = "HTTP/D.D\r";
    while (reader->at < size) {
        char expected = pattern[reader->at - reader->start], c = bytes[reader->at];
        if (expected == 'D' ? !is_digit(c) : c != expected)
            return &no_line;
        if (c == '\r') {
            enter(reader, LINE_LF);
            break;
        }
        reader->at++;
    }
    return NULL;
}

/* The whole line is there, and its CRLF. */
static const struct problem *judge_line(struct head_reader *reader, const char *bytes) {
    static const struct problem version = { 505, "HTTP/1.1 and HTTP/1.0 are served here" };
    static const struct problem target = { 400, "the target is none that this method may have" };
    const char *digits = bytes + reader->target_at + reader->target_size + sizeof " HTTP/" - 1;
    struct target parts;
    if (digits[0] != '1' || digits[2] > '1')
        return &version; /* RFC 9110, section 2.5 */
    reader->minor = digits[2] == '1';
    if (reader->method >= CONNECT)
        return &long_method; /* RFC 9110, sections 9.1 and 9.3.6 */
    if (!target_read(&parts, (struct slice){ bytes + reader->target_at, reader->target_size }) ||
        (parts.form == TARGET_ASTERISK && reader->method != HEAD_OPTIONS))
        return &target; /* 3.2, 3.2.4 */
    return NULL;
}

/* ------------------------------------------------------------------------------------- fields */

/* 3.2: one, and a valid one; RFC 9110, section 7.2 */
static const struct problem *judge_host(struct head_reader *reader, const char *bytes,
                                        struct slice value) {
    static const struct problem two = { 400, "there are two Hosts" };
    static const struct problem invalid = { 400, "the Host is not HOST or HOST:PORT" };
    if ((reader->flags & HOST) != 0)
        return &two;
    reader->flags |= HOST;
    reader->host_at = (uint16_t)(value.data - bytes);
    reader->host_size = (uint16_t)value.size;
    return syntax_is_authority(value) ? NULL : &invalid;
}

/* 6.2 and 6.3, RFC 9110, section 8.6: one number of at most 63 bits, once */
static const struct problem *judge_length(struct head_reader *reader, struct slice value) {
    static const struct problem two = { 400, "there are two Content-Lengths" };
    static const struct problem invalid = { 400, "the Content-Length is not a number of bytes" };
    if ((reader->flags & LENGTH) != 0)
        return &two;
    reader->flags |= LENGTH;
    for (size_t i = 0; i < value.size; i++) {
        if (!is_digit(value.data[i]) || reader->length > (INT64_MAX - 9) / 10)
            return &invalid;
        reader->length = 10 * reader->length + (uint64_t)(value.data[i] - '0');
    }
    return value.size > 0 ? NULL : &invalid;
}

/* 6.1 and 7. What the codings make together is judged at the end of the head. */
static void note_codings(struct head_reader *reader, struct slice value) {
    struct slice coding;
    reader->flags2 |= CODED;
    while (syntax_next(&value, &coding)) {
        bool chunked = slice_is_nocase(coding, "chunked");
        if (chunked && (reader->flags2 & CHUNKED) != 0)
            reader->flags2 |= CHUNKED_TWICE;
        if (chunked)
            reader->flags2 |= CHUNKED | CHUNKED_LAST;
        else
            reader->flags2 &= (uint8_t)~CHUNKED_LAST;
        if (!chunked && coding.size > 0)
            reader->flags2 |= OTHER_CODING;
    }
}

/* 9.6, RFC 9110, section 7.6.1 */
static void note_options(struct head_reader *reader, struct slice value) {
    struct slice option;
    while (syntax_next(&value, &option)) {
        if (slice_is_nocase(option, "close"))
            reader->flags |= CLOSE;
        else if (slice_is_nocase(option, "keep-alive"))
            reader->flags |= KEEP_ALIVE;
        else if (slice_is_nocase(option, "upgrade"))
            reader->flags |= TO_UPGRADE;
    }
}

/* RFC 9110, section 10.1.1 */
static void note_expectations(struct head_reader *reader, struct slice value) {
    struct slice expectation;
    while (syntax_next(&value, &expectation)) {
        if (slice_is_nocase(expectation, "100-continue"))
            reader->flags |= CONTINUE;
        else if (expectation.size > 0)
            reader->flags |= OTHER_EXPECTATION;
    }
}

/* A whole field line is there, and its CRLF. Only what says where the request ends, and what follows on the
 * connection, is looked at. */
static const struct problem *judge_field(struct head_reader *reader, const char *bytes) {
    struct slice name = { bytes + reader->start, reader->name_size };
    struct slice value = { name.data + name.size + 1,
                           (size_t)(reader->at - 1) - reader->start - name.size - 1 };
    value = slice_trim(value);
    switch (name.size) {
    case sizeof "Host" - 1:
        if (slice_is_nocase(name, "Host"))
            return judge_host(reader, bytes, value);
        break;
    case sizeof "Expect" - 1:
        if (slice_is_nocase(name, "Expect"))
            note_expectations(reader, value);
        break;
    case sizeof "Upgrade" - 1:
        if (slice_is_nocase(name, "Upgrade"))
            reader->flags |= UPGRADE;
        break;
    case sizeof "Connection" - 1:
        if (slice_is_nocase(name, "Connection"))
            note_options(reader, value);
        break;
    case sizeof "Content-Length" - 1:
        if (slice_is_nocase(name, "Content-Length"))
            return judge_length(reader, value);
        break;
    case sizeof "Transfer-Encoding" - 1:
        if (slice_is_nocase(name, "Transfer-Encoding"))
            note_codings(reader, value);
        break;
    default:
        break;
    }
    return NULL;
}

/* 5, 5.1: no white space before the colon; 5.2: no line that goes on, which begins with white space */
static const struct problem *read_name(struct head_reader *reader, const char *bytes, size_t size) {
    reader->at = skip(reader, bytes, size, SYNTAX_TCHAR);
    if (reader->at == size)
        return NULL;
    if (bytes[reader->at] != ':' || reader->at == reader->start)
        return &no_field;
    reader->name_size = (uint16_t)(reader->at - reader->start);
    reader->at++; /* `start` stays: it is the line's */
    reader->state = VALUE;
    return NULL;
}

/* RFC 9110, section 5.5 */
static const struct problem *read_value(struct head_reader *reader, const char *bytes,
                                        size_t size) {
    static const struct problem control = { 400, "a header has a control character" };
    reader->at = skip(reader, bytes, size, SYNTAX_FIELD);
    if (reader->at == size)
        return NULL;
    if (bytes[reader->at] != '\r')
        return bytes[reader->at] == '\n' ? &no_crlf : &control;
    reader->at++;
    reader->state = VALUE_LF;
    return NULL;
}

/* ------------------------------------------------------------------------------------ the end */

/* 6.1, 6.3 */
static const struct problem *judge_codings(const struct head_reader *reader) {
    static const struct problem old = { 400, "HTTP/1.0 has no Transfer-Encoding" };
    static const struct problem both = { 400, "there are Content-Length and Transfer-Encoding" };
    static const struct problem last = { 400, "the last Transfer-Encoding is not chunked" };
    static const struct problem twice = { 400, "chunked is there twice" };
    static const struct problem other = { 501, "chunked is the only Transfer-Encoding here" };
    if ((reader->flags2 & CODED) == 0)
        return NULL;
    return reader->minor == 0                      ? &old
           : (reader->flags & LENGTH) != 0         ? &both
           : (reader->flags2 & CHUNKED_LAST) == 0  ? &last
           : (reader->flags2 & CHUNKED_TWICE) != 0 ? &twice
           : (reader->flags2 & OTHER_CODING) != 0  ? &other
                                                   : NULL;
}

static const struct problem *judge_head(const struct head_reader *reader) {
    static const struct problem host = { 400, "there is no Host" };
    static const struct problem expectation = { 417, "100-continue is all that can be expected" };
    if (reader->minor == 1 && (reader->flags & HOST) == 0)
        return &host; /* 3.2 */
    const struct problem *problem = judge_codings(reader);
    if (problem == NULL && reader->minor == 1 && (reader->flags & OTHER_EXPECTATION) != 0)
        problem = &expectation; /* RFC 9110, section 10.1.1 */
    return problem;
}

static void fill(const struct head_reader *reader, const char *bytes, struct head *head) {
    bool modern = reader->minor == 1;
    memset(head, 0, sizeof *head);
    head->method = (enum head_method)reader->method;
    head->minor = reader->minor;
    target_read(&head->target, (struct slice){ bytes + reader->target_at, reader->target_size });
    if (head->target.form == TARGET_ABSOLUTE)
        head->host = head->target.authority; /* 3.2.2 */
    else if ((reader->flags & HOST) != 0)
        head->host = (struct slice){ bytes + reader->host_at, reader->host_size };
    head->size = reader->at;
    head->fields = (struct slice){ bytes + reader->fields_at,
                                   (size_t)(reader->at - 2 - reader->fields_at) };
    if ((reader->flags2 & CODED) != 0)
        head->body = HEAD_BODY_CHUNKED;
    else if ((reader->flags & LENGTH) != 0)
        head->body = HEAD_BODY_LENGTH;
    head->body_size = reader->length;
    head->keep_alive = (reader->flags & CLOSE) == 0 &&
                       (modern || (reader->flags & KEEP_ALIVE) != 0); /* 9.3 */
    head->expect_continue = modern && (reader->flags & CONTINUE) != 0 &&
                            (head->body == HEAD_BODY_CHUNKED || head->body_size > 0);
    head->upgrade = modern && (reader->flags & UPGRADE) != 0 && (reader->flags & TO_UPGRADE) != 0;
}

/* The LF that must follow here. */
static const struct problem *read_lf(struct head_reader *reader, const char *bytes, bool *done) {
    enum state state = (enum state)reader->state;
    if (bytes[reader->at] != '\n')
        return &no_crlf; /* 2.2: a bare CR */
    const struct problem *problem = state == LINE_LF    ? judge_line(reader, bytes)
                                    : state == VALUE_LF ? judge_field(reader, bytes)
                                    : state == END_LF   ? judge_head(reader)
                                                        : NULL;
    enter(reader, state == START_LF ? START : FIELD);
    if (state == LINE_LF)
        reader->fields_at = reader->at;
    *done = state == END_LF;
    return problem;
}

static const struct problem *step(struct head_reader *reader, const char *bytes, size_t size,
                                  bool *done) {
    switch ((enum state)reader->state) {
    case START:
        if (bytes[reader->at] == '\r') { /* 2.2 */
            enter(reader, START_LF);
            return NULL;
        }
        reader->state = METHOD;
        return NULL;
    case METHOD:
        return read_method(reader, bytes, size);
    case TARGET:
        return read_target(reader, bytes, size);
    case VERSION:
        return read_version(reader, bytes, size);
    case FIELD:
        if (bytes[reader->at] == '\r') {
            enter(reader, END_LF);
            return NULL;
        }
        reader->state = NAME;
        return NULL;
    case NAME:
        return read_name(reader, bytes, size);
    case VALUE:
        return read_value(reader, bytes, size);
    case START_LF:
    case LINE_LF:
    case VALUE_LF:
    case END_LF:
        break;
    }
    return read_lf(reader, bytes, done);
}

enum head_result head_read(struct head_reader *reader, const char *bytes, size_t size,
                           struct head *head) {
    size_t end = size < HEAD_BYTES_MAX ? size : HEAD_BYTES_MAX;
    const struct problem *problem = NULL;
    bool done = false;
    while (reader->at < end && problem == NULL && !done)
        problem = step(reader, bytes, end, &done);
    if (problem == NULL && !done && reader->at == HEAD_BYTES_MAX)
        problem = &long_head;
    if (problem == NULL && done)
        fill(reader, bytes, head);
    else
        *head = (struct head){ .method = reader->method == HEAD_HEAD ? HEAD_HEAD : HEAD_GET };
    if (problem == NULL && !done)
        return HEAD_MORE;
    if (problem != NULL) {
        head->status = problem->status;
        head->reason = problem->reason;
    }
    *reader = (struct head_reader){ 0 };
    return problem != NULL ? HEAD_REFUSED : HEAD_DONE;
}

/* -------------------------------------------------------------------------------------- fields */

bool head_next_field(struct slice *rest, const char *name, struct slice *value) {
    size_t name_size = strlen(name);
    while (rest->size > 0) {
        const char *end = memchr(rest->data, '\r', rest->size); /* each line has one: at its end */
        size_t size = (size_t)(end - rest->data);
        struct slice line = { rest->data, size };
        rest->data += size + 2;
        rest->size -= size + 2;
        if (size > name_size && line.data[name_size] == ':' &&
            slice_is_nocase((struct slice){ line.data, name_size }, name)) {
            *value = slice_trim((struct slice){ line.data + name_size + 1, size - name_size - 1 });
            return true;
        }
    }
    return false;
}

bool head_field(const struct head *head, const char *name, struct slice *value) {
    struct slice rest = head->fields;
    return head_next_field(&rest, name, value);
}

size_t head_count(const struct head *head, const char *name) {
    struct slice rest = head->fields, value;
    size_t count = 0;
    while (head_next_field(&rest, name, &value))
        count++;
    return count;
}
