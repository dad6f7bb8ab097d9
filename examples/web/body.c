/* body.c - the body of a request (RFC 9112, sections 6 and 7; section numbers below are of it, if no other RFC is named).
 *
 * Invariant: what `left` and `allowance` say together is never more than the data that the body may have. */
#include "body.h"

#include <string.h>

enum state {
    ENDED,
    LENGTH, /* a body of `left` more bytes */
    SIZE,   /* a chunk's size */
    /* Extensions of a chunk (7.1.1), in the order of the grammar */
    EXTENSION, /* behind ';' */
    EXTENSION_NAME,
    BEHIND_NAME,     /* white space was there: '=' or ';' must follow */
    EXTENSION_VALUE, /* behind '=' */
    TOKEN,
    QUOTED,
    QUOTED_PAIR,
    BEHIND_QUOTED,
    BEHIND_VALUE, /* white space was there: ';' must follow */
    SIZE_LF,
    DATA, /* a chunk of `left` more bytes */
    DATA_CR,
    DATA_LF,
    TRAILER, /* the first byte of a trailer line, or of the empty line (7.1.2) */
    NAME,
    VALUE,
    VALUE_LF,
    END_LF,
    WRONG
};

enum { HEX_DIGITS_MAX = 16 };

/* Trailers that say where a message ends (RFC 9110, section 6.5.1); body.framing is 1 + the index. */
static const char *const framings[] = { "content-length", "transfer-encoding" };

unsigned body_start(struct body *body, const struct head *head, uint64_t bytes_max) {
    *body = (struct body){ .state = ENDED, .allowance = bytes_max };
    if (head->body == HEAD_BODY_CHUNKED) {
        body->state = SIZE;
    } else if (head->body == HEAD_BODY_LENGTH && head->body_size > 0) {
        body->state = LENGTH;
        body->left = head->body_size;
    }
    return body->left > bytes_max ? 413 : 0;
}

/* --------------------------------------------------------------------------------- extensions */

static bool is_space(char c) {
    return c == ' ' || c == '\t';
}

/* Behind a whole size, name or value. */
static enum state behind(char c, enum state space) {
    return c == ';' ? EXTENSION : c == '\r' ? SIZE_LF : is_space(c) ? space : WRONG;
}

/* The state behind one more character of an extension. */
static enum state next_state(enum state state, char c) {
    bool tchar = syntax_is_tchar((unsigned char)c), field = syntax_is_field((unsigned char)c);
    switch (state) {
    case EXTENSION:
        return tchar ? EXTENSION_NAME : is_space(c) ? EXTENSION : WRONG;
    case EXTENSION_NAME:
        return tchar ? EXTENSION_NAME : c == '=' ? EXTENSION_VALUE : behind(c, BEHIND_NAME);
    case BEHIND_NAME:
        return c == '='      ? EXTENSION_VALUE
               : c == ';'    ? EXTENSION
               : is_space(c) ? BEHIND_NAME
                             : WRONG;
    case EXTENSION_VALUE:
        return tchar ? TOKEN : c == '"' ? QUOTED : is_space(c) ? EXTENSION_VALUE : WRONG;
    case TOKEN:
        return tchar ? TOKEN : behind(c, BEHIND_VALUE);
    case QUOTED: /* RFC 9110, section 5.6.4 */
        return c == '"' ? BEHIND_QUOTED : c == '\\' ? QUOTED_PAIR : field ? QUOTED : WRONG;
    case QUOTED_PAIR:
        return field ? QUOTED : WRONG;
    case BEHIND_QUOTED:
        return behind(c, BEHIND_VALUE);
    case BEHIND_VALUE:
        return c == ';' ? EXTENSION : is_space(c) ? BEHIND_VALUE : WRONG;
    default:
        return WRONG;
    }
}

/* -------------------------------------------------------------------------------------- chunks */

/* Returns 0, or the status to refuse with. */
static unsigned count_extra(struct body *body, unsigned status) {
    return ++body->extra > BODY_EXTRA_BYTES_MAX ? status : 0;
}

/* 7.1: at least one hexadecimal digit; zeros before it count as extra. */
static unsigned read_size(struct body *body, char c) {
    int digit = syntax_hex((unsigned char)c);
    if (digit < 0) {
        body->state = (uint8_t)(body->digits > 0 ? behind(c, BEHIND_VALUE) : WRONG);
        return 0;
    }
    bool zero = body->left == 0;
    if (zero)
        body->digits = 0;
    if (++body->digits > HEX_DIGITS_MAX)
        return 400;
    body->left = body->left << 4 | (unsigned)digit;
    return zero && digit == 0 ? count_extra(body, 413) : 0;
}

/* The size is whole, and its line. */
static unsigned begin_chunk(struct body *body) {
    body->digits = 0;
    body->state = body->left > 0 ? DATA : TRAILER;
    if (body->left > body->allowance)
        return 413;
    body->allowance -= body->left;
    return 0;
}

/* ------------------------------------------------------------------------------------ trailers */

static void begin_trailer(struct body *body, char c) {
    body->state = NAME;
    body->matched = 0;
    body->framing = c == 'c' || c == 'C' ? 1 : c == 't' || c == 'T' ? 2 : 0;
}

static void match_name(struct body *body, char c) {
    if (body->framing == 0)
        return;
    struct slice byte = { &c, 1 };
    char expected[2] = { framings[body->framing - 1][body->matched], '\0' };
    if (slice_is_nocase(byte, expected))
        body->matched++;
    else
        body->framing = 0;
}

/* 5, 7.1.2: one character of a trailer line. */
static void read_trailer(struct body *body, char c) {
    bool first = body->state == TRAILER;
    if (first && c == '\r') {
        body->state = END_LF;
    } else if (body->state == VALUE) {
        body->state = c == '\r' ? VALUE_LF : syntax_is_field((unsigned char)c) ? VALUE : WRONG;
    } else if (c == ':') {
        bool framing = !first && body->framing > 0 &&
                       framings[body->framing - 1][body->matched] == '\0';
        body->state = first || framing ? WRONG : VALUE;
    } else if (!syntax_is_tchar((unsigned char)c)) {
        body->state = WRONG;
    } else {
        if (first)
            begin_trailer(body, c);
        match_name(body, c);
    }
}

/* ---------------------------------------------------------------------------------------- read */

static void expect(struct body *body, char c, char expected, enum state next) {
    body->state = (uint8_t)(c == expected ? next : WRONG);
}

/* Reads one byte that is no data. Returns 0, or the status to refuse with. */
static unsigned step(struct body *body, char c) {
    unsigned status = 0;
    switch ((enum state)body->state) {
    case SIZE:
        status = read_size(body, c);
        break;
    case SIZE_LF:
        expect(body, c, '\n', DATA);
        if (body->state != WRONG)
            status = begin_chunk(body);
        break;
    case DATA_CR:
        expect(body, c, '\r', DATA_LF);
        break;
    case DATA_LF:
        expect(body, c, '\n', SIZE);
        break;
    case TRAILER:
    case NAME:
    case VALUE:
        status = count_extra(body, 431);
        read_trailer(body, c);
        break;
    case VALUE_LF:
        expect(body, c, '\n', TRAILER);
        break;
    case END_LF:
        expect(body, c, '\n', ENDED);
        break;
    default:
        status = count_extra(body, 413);
        body->state = (uint8_t)next_state((enum state)body->state, c);
        break;
    }
    return body->state == WRONG ? 400 : status;
}

/* The next part of the data. */
static void take(struct body *body, const char *bytes, size_t size, struct slice *data) {
    size_t there = size < body->left ? size : (size_t)body->left;
    *data = (struct slice){ bytes, there };
    body->left -= there;
    if (body->left == 0)
        body->state = body->state == DATA ? DATA_CR : ENDED;
}

enum body_result body_read(struct body *body, const char *bytes, size_t size, size_t *taken,
                           struct slice *data, unsigned *status) {
    size_t at = 0;
    enum body_result result = BODY_MORE;
    *data = (struct slice){ NULL, 0 };
    *status = 0;
    while (at < size && body->state != ENDED && result == BODY_MORE) {
        if (body->state == DATA || body->state == LENGTH) {
            take(body, bytes + at, size - at, data);
            at += data->size;
            result = BODY_DATA;
        } else {
            *status = step(body, bytes[at++]);
            if (*status != 0)
                result = BODY_REFUSED;
        }
    }
    if (result == BODY_MORE && body->state == ENDED)
        result = BODY_END;
    *taken = at;
    return result;
}
