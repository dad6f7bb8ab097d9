#include "body.h"

#include <stdio.h>
#include <string.h>

#include "suite.h"

enum { DATA_MAX = 20 };

/* Chunked bodies. What is read is written as the data, then "|" and what was left for the next request; what is refused
 * as its status; "..." if more is to come. */
struct example {
    const char *section; /* of RFC 9112, if no other is named */
    const char *text;
    size_t size;
    const char *result;
};

#define TEXT(text) text, sizeof(text) - 1

static const struct example examples[] = {
    { "7.1", TEXT("0\r\n\r\n"), "|" },
    { "7.1 one chunk", TEXT("5\r\nhello\r\n0\r\n\r\n"), "hello|" },
    { "7.1 two chunks", TEXT("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), "hello world|" },
    { "7.1 what looks like chunks", TEXT("7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n"), "0\r\n\r\n\r\n|" },
    { "7.1 the next request", TEXT("1\r\na\r\n0\r\n\r\nGET /"), "a|GET /" },
    { "7.1 capital digits", TEXT("A\r\n0123456789\r\n0\r\n\r\n"), "0123456789|" },
    { "7.1 small digits", TEXT("b\r\n0123456789a\r\n0\r\n\r\n"), "0123456789a|" },
    { "7.1 two digits", TEXT("11\r\n0123456789abcdefg\r\n0\r\n\r\n"), "0123456789abcdefg|" },
    { "7.1 zeros before it", TEXT("00000000000000000005\r\nhello\r\n0\r\n\r\n"), "hello|" },
    { "7.1 more zeros than one at the end", TEXT("1\r\na\r\n000\r\n\r\n"), "a|" },
    { "7.1 any bytes", TEXT("4\r\n\0\xff\r\n\r\n0\r\n\r\n"), "*4|" },
    { "7.1 no size", TEXT("\r\nhello\r\n0\r\n\r\n"), "400" },
    { "7.1 no size, and the end", TEXT("\r\n\r\n"), "400" },
    { "7.1 no size behind a chunk", TEXT("1\r\na\r\n\r\n\r\n"), "400" },
    { "7.1 no size before an extension", TEXT(";a\r\n\r\n"), "400" },
    { "7.1 no digit", TEXT("g\r\n"), "400" },
    { "7.1 0x", TEXT("0x5\r\nhello\r\n0\r\n\r\n"), "400" },
    { "7.1 a sign", TEXT("+5\r\nhello\r\n0\r\n\r\n"), "400" },
    { "7.1 negative", TEXT("-5\r\nhello\r\n0\r\n\r\n"), "400" },
    { "7.1 a space before it", TEXT(" 5\r\nhello\r\n0\r\n\r\n"), "400" },
    { "7.1 a space behind it", TEXT("5 \r\nhello\r\n0\r\n\r\n"), "400" },
    { "7.1 a tab behind it", TEXT("5\t\r\nhello\r\n0\r\n\r\n"), "400" },
    { "7.1 two numbers", TEXT("5 5\r\nhello\r\n0\r\n\r\n"), "400" },
    { "7.1 a quote", TEXT("\"5\"\r\nhello\r\n0\r\n\r\n"), "400" },
    { "7.1 64 bits", TEXT("ffffffffffffffff\r\n"), "413" },
    { "7.1 more than 64 bits", TEXT("10000000000000005\r\nhello\r\n"), "400" },
    { "7.1 the same behind zeros", TEXT("00010000000000000005\r\nhello\r\n"), "400" },
    { "2.2 bare LF behind a size", TEXT("5\nhello\r\n0\r\n\r\n"), "400" },
    { "2.2 bare CR behind a size", TEXT("5\rhello\r\n0\r\n\r\n"), "400" },
    { "2.2 bare LF behind data", TEXT("5\r\nhello\n0\r\n\r\n"), "400" },
    { "2.2 bare CR behind data", TEXT("5\r\nhello\r0\r\n\r\n"), "400" },
    { "2.2 bare LF at the end", TEXT("0\r\n\n"), "400" },
    { "2.2 bare CR at the end", TEXT("0\r\n\r\r"), "400" },
    { "7.1 more data than its size", TEXT("5\r\nhelloX\r\n0\r\n\r\n"), "400" },
    { "7.1 no CRLF behind data", TEXT("5\r\nhello0\r\n\r\n"), "400" },
    { "7.1 less data than its size", TEXT("6\r\nhello\r\n0\r\n\r\n"), "400" },
    { "7.1 not complete", TEXT("5\r\nhel"), "hel..." },
    { "7.1 without its last chunk", TEXT("5\r\nhello\r\n"), "hello..." },
    { "7.1 without its last line", TEXT("5\r\nhello\r\n0\r\n"), "hello..." },
    { "7.1.1 a name", TEXT("1;a\r\nx\r\n0\r\n\r\n"), "x|" },
    { "7.1.1 a name and a value", TEXT("1;a=b\r\nx\r\n0;c=d\r\n\r\n"), "x|" },
    { "7.1.1 some", TEXT("1;a;b=c;d=\"e;f\\\"\\\\\tg\xe9\";h\r\nx\r\n0\r\n\r\n"), "x|" },
    { "7.1.1 an empty value in quotes", TEXT("1;a=\"\"\r\nx\r\n0\r\n\r\n"), "x|" },
    { "7.1.1 white space where the grammar has it",
      TEXT("1 ; \ta\t = b ;c = \"d\" ;e\r\nx\r\n0\r\n\r\n"), "x|" },
    { "7.1.1 white space behind a name", TEXT("1;a \r\nx\r\n0\r\n\r\n"), "400" },
    { "7.1.1 white space behind a value", TEXT("1;a=b \r\nx\r\n0\r\n\r\n"), "400" },
    { "7.1.1 white space behind quotes", TEXT("1;a=\"b\" \r\nx\r\n0\r\n\r\n"), "400" },
    { "7.1.1 two names", TEXT("1;a b\r\nx\r\n0\r\n\r\n"), "400" },
    { "7.1.1 two values", TEXT("1;a=b c\r\nx\r\n0\r\n\r\n"), "400" },
    { "7.1.1 no name", TEXT("1;\r\nx\r\n0\r\n\r\n"), "400" },
    { "7.1.1 no name behind another", TEXT("1;a;\r\nx\r\n0\r\n\r\n"), "400" },
    { "7.1.1 no name before a value", TEXT("1;=b\r\nx\r\n0\r\n\r\n"), "400" },
    { "7.1.1 no value", TEXT("1;a=\r\nx\r\n0\r\n\r\n"), "400" },
    { "7.1.1 no end of quotes", TEXT("1;a=\"b\r\nx\r\n0\r\n\r\n"), "400" },
    { "7.1.1 something behind quotes", TEXT("1;a=\"b\"c\r\nx\r\n0\r\n\r\n"), "400" },
    { "7.1.1 a control character", TEXT("1;a\001\r\nx\r\n0\r\n\r\n"), "400" },
    { "7.1.1 a control character in quotes", TEXT("1;a=\"\001\"\r\nx\r\n0\r\n\r\n"), "400" },
    { "7.1.1 a quoted control character", TEXT("1;a=\"\\\001\"\r\nx\r\n0\r\n\r\n"), "400" },
    { "7.1.1 beyond ASCII", TEXT("1;a\xe9\r\nx\r\n0\r\n\r\n"), "400" },
    { "7.1.1 bare LF", TEXT("1;a\nb\r\nx\r\n0\r\n\r\n"), "400" },
    { "7.1.1 bare LF in quotes", TEXT("1;a=\"\n\"\r\nx\r\n0\r\n\r\n"), "400" },
    { "7.1.1 bare CR", TEXT("1;a\rb\r\nx\r\n0\r\n\r\n"), "400" },
    { "7.1.2 a trailer", TEXT("0\r\nX: y\r\n\r\nz"), "|z" },
    { "7.1.2 two of them", TEXT("1\r\na\r\n0\r\nX:\r\nDate: \ty\xe9 \r\n\r\n"), "a|" },
    { "7.1.2 names that begin as those of framing",
      TEXT("0\r\nContent-Lengt: 1\r\nContent-Length2: 1\r\nTransfer: x\r\nC: x\r\n\r\n"), "|" },
    { "RFC 9110 6.5.1 a length", TEXT("0\r\nContent-Length: 5\r\n\r\n"), "400" },
    { "RFC 9110 6.5.1 a length, in any case", TEXT("0\r\nX: y\r\nconTENT-lengTH: 5\r\n\r\n"),
      "400" },
    { "RFC 9110 6.5.1 a coding", TEXT("0\r\nTransfer-Encoding: chunked\r\n\r\n"), "400" },
    { "RFC 9110 6.5.1 a coding, in any case", TEXT("0\r\ntRANSFER-eNCODING: chunked\r\n\r\n"),
      "400" },
    { "5 no colon", TEXT("0\r\nX\r\n\r\n"), "400" },
    { "5 no name", TEXT("0\r\n: y\r\n\r\n"), "400" },
    { "5 a name that is no token", TEXT("0\r\nX(: y\r\n\r\n"), "400" },
    { "5.1 white space before the colon", TEXT("0\r\nX : y\r\n\r\n"), "400" },
    { "5.2 a folded line", TEXT("0\r\nX: y\r\n z\r\n\r\n"), "400" },
    { "2.2 bare LF behind a trailer", TEXT("0\r\nX: y\n\r\n"), "400" },
    { "2.2 bare CR behind a trailer", TEXT("0\r\nX: y\rZ: z\r\n\r\n"), "400" },
    { "RFC 9110 5.5 a control character", TEXT("0\r\nX: \001\r\n\r\n"), "400" },
    { "RFC 9110 15.5.14 as much as may be", TEXT("a\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"),
      "01234567890123456789|" },
    { "RFC 9110 15.5.14 too much in one chunk", TEXT("15\r\n"), "413" },
    { "RFC 9110 15.5.14 too much in two", TEXT("a\r\n0123456789\r\nb\r\n"), "413" },
    { "RFC 9110 15.5.14 too much behind all", TEXT("14\r\n01234567890123456789\r\n1\r\n"), "413" },
};

struct reader {
    struct body body;
    char text[256];
    size_t size;
    enum body_result result;
};

static void write_data(struct reader *reader, struct slice data) {
    memcpy(reader->text + reader->size, data.data, data.size);
    reader->size += data.size;
}

/* From memory of just that size, so that a sanitizer sees what is read beside it. */
static void feed(struct reader *reader, const char *bytes, size_t size) {
    char *copy = malloc(size > 0 ? size : 1);
    size_t used = 0, taken;
    memcpy(copy, bytes, size);
    if (reader->result == BODY_END) {
        write_data(reader, (struct slice){ copy, size });
    } else if (reader->result != BODY_REFUSED) {
        struct slice data;
        unsigned status;
        do {
            reader->result = body_read(&reader->body, copy + used, size - used, &taken, &data,
                                       &status);
            used += taken;
            if (reader->result == BODY_DATA)
                write_data(reader, data);
        } while (reader->result == BODY_DATA);
        if (reader->result == BODY_REFUSED)
            reader->size = (size_t)sprintf(reader->text, "%u", status);
        if (reader->result == BODY_MORE && used != size)
            ck_abort_msg("%zu of %zu bytes were taken", used, size);
        if (reader->result == BODY_END) {
            write_data(reader, slice_of("|"));
            write_data(reader, (struct slice){ copy + used, size - used });
        }
    }
    free(copy);
}

static void start(struct reader *reader) {
    const struct head head = { .body = HEAD_BODY_CHUNKED };
    memset(reader, 0, sizeof *reader);
    if (body_start(&reader->body, &head, DATA_MAX) != 0)
        ck_abort_msg("refused at the start");
}

static bool as_expected(struct reader *reader, const char *expected) {
    if (reader->result == BODY_MORE)
        write_data(reader, slice_of("..."));
    reader->text[reader->size] = '\0';
    if (*expected == '*') /* bytes that are no text */
        return reader->size == 5 && memcmp(reader->text, "\0\xff\r\n|", 5) == 0;
    return strcmp(reader->text, expected) == 0;
}

START_TEST(chunks_are_read_as_the_standard_says_in_any_pieces) {
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        const struct example *example = &examples[i];
        struct reader reader;
        for (size_t one = 0; one <= example->size; one++)
            for (size_t two = one; two <= example->size; two++) {
                start(&reader);
                feed(&reader, example->text, one);
                feed(&reader, example->text + one, two - one);
                feed(&reader, example->text + two, example->size - two);
                if (!as_expected(&reader, example->result))
                    ck_abort_msg("%s, cut at %zu and %zu: %s", example->section, one, two,
                                 reader.text);
            }
        start(&reader);
        for (size_t at = 0; at < example->size; at++)
            feed(&reader, example->text + at, 1);
        ck_assert_msg(as_expected(&reader, example->result), "%s, byte by byte: %s",
                      example->section, reader.text);
    }
}
END_TEST

START_TEST(a_body_by_its_length_ends_there) {
    struct head head = { .body = HEAD_BODY_LENGTH, .body_size = 5 };
    struct body body;
    struct slice data;
    size_t taken;
    unsigned status;
    ck_assert_uint_eq(body_start(&body, &head, 5), 0);
    ck_assert_int_eq(body_read(&body, "", 0, &taken, &data, &status), BODY_MORE);
    ck_assert_int_eq(body_read(&body, "hel", 3, &taken, &data, &status), BODY_DATA);
    ck_assert(slice_is(data, "hel") && taken == 3);
    ck_assert_int_eq(body_read(&body, "lo, GET", 7, &taken, &data, &status), BODY_DATA);
    ck_assert(slice_is(data, "lo") && taken == 2);
    ck_assert_int_eq(body_read(&body, ", GET", 5, &taken, &data, &status), BODY_END);
    ck_assert_uint_eq(taken, 0);
    head.body_size = 6;
    ck_assert_uint_eq(body_start(&body, &head, 5), 413);
    head.body_size = 0;
    ck_assert_uint_eq(body_start(&body, &head, 0), 0);
    ck_assert_int_eq(body_read(&body, NULL, 0, &taken, &data, &status), BODY_END);
    head.body = HEAD_BODY_NONE;
    ck_assert_uint_eq(body_start(&body, &head, 0), 0);
    ck_assert_int_eq(body_read(&body, "GET", 3, &taken, &data, &status), BODY_END);
    ck_assert_uint_eq(taken, 0);
}
END_TEST

/* Writes `count` letters before and the text behind them. Returns the status, or 0. */
static unsigned read_long(const char *before, char letter, size_t count, const char *behind) {
    static char text[4 * BODY_EXTRA_BYTES_MAX];
    const struct head head = { .body = HEAD_BODY_CHUNKED };
    struct body body;
    struct slice data;
    size_t taken, size = strlen(before);
    unsigned status;
    enum body_result result;
    memcpy(text, before, size);
    memset(text + size, letter, count);
    strcpy(text + size + count, behind);
    size += count + strlen(behind);
    body_start(&body, &head, DATA_MAX);
    for (size_t at = 0;; at += taken) {
        result = body_read(&body, text + at, size - at, &taken, &data, &status);
        if (result != BODY_DATA)
            return result == BODY_END ? 0 : result == BODY_MORE ? 100 : status;
    }
}

START_TEST(what_is_no_data_has_a_limit) {
    const size_t most = BODY_EXTRA_BYTES_MAX;
    /* 7.1.1: the letters, CR, the 0 of the last chunk, and the CR of the last line */
    ck_assert_uint_eq(read_long("1;", 'a', most - 3, "\r\nx\r\n0\r\n\r\n"), 0);
    ck_assert_uint_eq(read_long("1;", 'a', most - 2, "\r\nx\r\n0\r\n\r\n"), 431);
    ck_assert_uint_eq(read_long("1;", 'a', most + 1, ""), 413);
    ck_assert_uint_eq(read_long("1;a=\"", 'a', most, ""), 413);
    ck_assert_uint_eq(read_long("1", ' ', 2 * most, ""), 413);
    ck_assert_uint_eq(read_long("", '0', most - 2, "1\r\nx\r\n0\r\n\r\n"), 0);
    ck_assert_uint_eq(read_long("", '0', most + 1, "1\r\n"), 413);
    ck_assert_uint_eq(read_long("0\r\nX:", 'a', most - 5, "\r\n\r\n"), 0);
    ck_assert_uint_eq(read_long("0\r\nX:", 'a', most, "\r\n\r\n"), 431);
    ck_assert_uint_eq(read_long("0\r\n", 'a', most, ""), 431);
}
END_TEST

SUITE_MAIN("body", chunks_are_read_as_the_standard_says_in_any_pieces,
           a_body_by_its_length_ends_there, what_is_no_data_has_a_limit)
