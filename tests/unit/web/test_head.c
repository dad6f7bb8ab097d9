#include "head.h"

#include <stdio.h>
#include <string.h>

#include "suite.h"

/* What is read is written as "METHOD PATH[?QUERY] MINOR host=HOST BODY" and, where they hold, "close", "continue",
 * "upgrade"; what is refused as its status. "~" stands for no host. */
struct example {
    const char *section; /* of RFC 9112, if no other is named */
    const char *text;
    size_t size;
    const char *result;
};

#define REQUEST(...) __VA_ARGS__, sizeof(__VA_ARGS__) - 1
#define GET(fields) REQUEST("GET / HTTP/1.1\r\nHost: a\r\n" fields "\r\n")
#define POST(fields) REQUEST("POST / HTTP/1.1\r\nHost: a\r\n" fields "\r\n")
#define LINE(line) REQUEST(line "\r\nHost: a\r\n\r\n")

static const struct example examples[] = {
    { "2.1 the least", GET(""), "GET / 1 host=a none" },
    { "2.1 some fields", GET("Accept: */*\r\nUser-Agent: x (y; z) \"w\"\r\n"),
      "GET / 1 host=a none" },
    { "2.2 an empty line before it", REQUEST("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
      "GET / 1 host=a none" },
    { "2.2 two of them", REQUEST("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
      "GET / 1 host=a none" },
    { "2.2 a bare LF before it", REQUEST("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), "400" },
    { "2.2 a bare CR before it", REQUEST("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"), "400" },
    { "2.2 white space before it", LINE(" GET / HTTP/1.1"), "400" },
    { "2.2 bare LF everywhere", REQUEST("GET / HTTP/1.1\nHost: a\n\n"), "400" },
    { "2.2 bare LF behind the request line", REQUEST("GET / HTTP/1.1\nHost: a\r\n\r\n"), "400" },
    { "2.2 bare LF behind a field", REQUEST("GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"), "400" },
    { "2.2 bare LF at the end", REQUEST("GET / HTTP/1.1\r\nHost: a\r\n\n"), "400" },
    { "2.2 bare CR within a value", GET("X: a\rb\r\n"), "400" },
    { "2.2 bare CR behind a value", GET("X: a\rHost: b\r\n"), "400" },
    { "2.2 bare CR behind the request line", REQUEST("GET / HTTP/1.1\rHost: a\r\n\r\n"), "400" },
    { "2.2 bare CR at the end", REQUEST("GET / HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n"), "400" },
    { "2.2 another control character for CR", GET("X: a\001\nY: b\r\n"), "400" },
    { "2.2 LF LF", GET("X: a\n\nY: b\r\n"), "400" },
    { "2.2 CR CR LF", GET("X: a\r\r\n"), "400" },
    { "2.2 white space behind the request line",
      REQUEST("GET / HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n"), "400" },
    { "2.3 HTTP/1.0", REQUEST("GET / HTTP/1.0\r\n\r\n"), "GET / 0 host=~ none close" },
    { "2.3 HTTP/1.2", LINE("GET / HTTP/1.2"), "505" },
    { "2.3 HTTP/1.9", LINE("GET / HTTP/1.9"), "505" },
    { "2.3 HTTP/2.0", LINE("GET / HTTP/2.0"), "505" },
    { "2.3 HTTP/0.9", LINE("GET / HTTP/0.9"), "505" },
    { "2.3 HTTP/3.1", LINE("GET / HTTP/3.1"), "505" },
    { "2.3 a version before a method", LINE("PRI * HTTP/2.0"), "505" },
    { "2.3 HTTP/1", LINE("GET / HTTP/1"), "400" },
    { "2.3 HTTP/11", LINE("GET / HTTP/11"), "400" },
    { "2.3 HTTP/1.10", LINE("GET / HTTP/1.10"), "400" },
    { "2.3 HTTP/1.", LINE("GET / HTTP/1."), "400" },
    { "2.3 HTTP/1,1", LINE("GET / HTTP/1,1"), "400" },
    { "2.3 HTTP 1.1", LINE("GET / HTTP 1.1"), "400" },
    { "2.3 HTTP/A.1", LINE("GET / HTTP/A.1"), "400" },
    { "2.3 HTTP/1.B", LINE("GET / HTTP/1.B"), "400" },
    { "2.3 lower case", LINE("GET / http/1.1"), "400" },
    { "2.3 XTTP", LINE("GET / XTTP/1.1"), "400" },
    { "2.3 behind something", LINE("GET / xHTTP/1.1"), "400" },
    { "3 no version", LINE("GET /"), "400" },
    { "3 no version, but the space", LINE("GET / "), "400" },
    { "3 only a method", LINE("GET"), "400" },
    { "3 an empty method", LINE("/ HTTP/1.1"), "400" },
    { "3 a method of nothing", LINE(" / HTTP/1.1"), "400" },
    { "3 a target of nothing", LINE("GET  HTTP/1.1"), "400" },
    { "3 two spaces behind the method", LINE("GET  / HTTP/1.1"), "400" },
    { "3 two spaces behind the target", LINE("GET /  HTTP/1.1"), "400" },
    { "3 a space at the end", LINE("GET / HTTP/1.1 "), "400" },
    { "3 a tab", LINE("GET\t/ HTTP/1.1"), "400" },
    { "3 a tab behind the target", LINE("GET /\tHTTP/1.1"), "400" },
    { "3 a space in the target", LINE("GET /a b HTTP/1.1"), "400" },
    { "3 no HTTP at all", REQUEST("\x16\x03\x01\x02"), "400" },
    { "3 text before the method", LINE("Extra lineGET / HTTP/1.1"), "400" },
    { "3.1 HEAD", LINE("HEAD / HTTP/1.1"), "HEAD / 1 host=a none" },
    { "3.1 POST", LINE("POST / HTTP/1.1"), "POST / 1 host=a none" },
    { "3.1 PUT", LINE("PUT / HTTP/1.1"), "PUT / 1 host=a none" },
    { "3.1 DELETE", LINE("DELETE / HTTP/1.1"), "DELETE / 1 host=a none" },
    { "3.1 OPTIONS", LINE("OPTIONS / HTTP/1.1"), "OPTIONS / 1 host=a none" },
    { "3.1 TRACE", LINE("TRACE / HTTP/1.1"), "TRACE / 1 host=a none" },
    { "3.1 PATCH", LINE("PATCH / HTTP/1.1"), "PATCH / 1 host=a none" },
    { "3.1 lower case", LINE("get / HTTP/1.1"), "501" },
    { "3.1 not known", LINE("BREW / HTTP/1.1"), "501" },
    { "3.1 longer than a known one", LINE("GETS / HTTP/1.1"), "501" },
    { "3.1 shorter than a known one", LINE("GE / HTTP/1.1"), "501" },
    { "3.1 32 bytes, not known", LINE("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1"), "501" },
    { "3.1 33 bytes, at once", REQUEST("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG"), "501" },
    { "3.1 no token", LINE("GE(T / HTTP/1.1"), "400" },
    { "3.1 a NUL", LINE("GET\0 / HTTP/1.1"), "400" },
    { "3.1 beyond ASCII", LINE("GET\xe9 / HTTP/1.1"), "400" },
    { "3.2.1 a path and a query", LINE("GET /a/b?c=d&e HTTP/1.1"), "GET /a/b?c=d&e 1 host=a none" },
    { "3.2.1 an empty query", LINE("GET /? HTTP/1.1"), "GET /? 1 host=a none" },
    { "3.2.1 not from the root", LINE("GET a HTTP/1.1"), "400" },
    { "3.2.1 only a query", LINE("GET ?a HTTP/1.1"), "400" },
    { "3.2 a fragment", LINE("GET /a#b HTTP/1.1"), "400" },
    { "3.2 a control character", LINE("GET /a\001 HTTP/1.1"), "400" },
    { "3.2 NUL", LINE("GET /a\0b HTTP/1.1"), "400" },
    { "3.2 DEL", LINE("GET /a\x7f HTTP/1.1"), "400" },
    { "3.2 beyond ASCII", LINE("GET /\xc3\xa9 HTTP/1.1"), "400" },
    { "3.2 what browsers send", LINE("GET /|?a|^`{}\\ HTTP/1.1"), "GET /|?a|^`{}\\ 1 host=a none" },
    { "3.2.2 absolute", LINE("GET http://b:80/x?y HTTP/1.1"), "GET /x?y 1 host=b:80 none" },
    { "3.2.2 absolute, without a path", LINE("GET http://b HTTP/1.1"), "GET  1 host=b none" },
    { "3.2.2 absolute, https", LINE("GET HTTPS://b/ HTTP/1.1"), "GET / 1 host=b none" },
    { "3.2.2 absolute, still with a Host", REQUEST("GET http://b/ HTTP/1.1\r\n\r\n"), "400" },
    { "3.2.2 absolute, HTTP/1.0", REQUEST("GET http://b/ HTTP/1.0\r\n\r\n"),
      "GET / 0 host=b none close" },
    { "3.2.2 another scheme", LINE("GET ftp://b/ HTTP/1.1"), "400" },
    { "3.2.2 before the scheme", LINE("GET ^http://b/ HTTP/1.1"), "400" },
    { "3.2.2 a user", LINE("GET http://u:p@b/ HTTP/1.1"), "400" },
    { "3.2.2 no host", LINE("GET http:///x HTTP/1.1"), "400" },
    { "3.2.3 CONNECT", LINE("CONNECT a:80 HTTP/1.1"), "501" },
    { "3.2.3 CONNECT to a path", LINE("CONNECT / HTTP/1.1"), "501" },
    { "3.2.3 another method", LINE("GET a:80 HTTP/1.1"), "400" },
    { "3.2.4 OPTIONS *", LINE("OPTIONS * HTTP/1.1"), "OPTIONS * 1 host=a none" },
    { "3.2.4 GET *", LINE("GET * HTTP/1.1"), "400" },
    { "3.2.4 OPTIONS *x", LINE("OPTIONS *x HTTP/1.1"), "400" },
    { "3.2 no Host", REQUEST("GET / HTTP/1.1\r\nX: y\r\n\r\n"), "400" },
    { "3.2 two Hosts", GET("Host: b\r\n"), "400" },
    { "3.2 the same Host twice", GET("host: a\r\n"), "400" },
    { "3.2 two Hosts, HTTP/1.0", REQUEST("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"), "400" },
    { "3.2 an empty Host", REQUEST("GET / HTTP/1.1\r\nHost:\r\n\r\n"), "GET / 1 host= none" },
    { "3.2 a Host in any case, in white space", REQUEST("GET / HTTP/1.1\r\nhOsT:\t a:1 \t\r\n\r\n"),
      "GET / 1 host=a:1 none" },
    { "3.2 an IPv6 Host", REQUEST("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
      "GET / 1 host=[::1]:80 none" },
    { "3.2 a Host with a space", REQUEST("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), "400" },
    { "3.2 a Host with a user", REQUEST("GET / HTTP/1.1\r\nHost: u@b\r\n\r\n"), "400" },
    { "3.2 a Host with a path", REQUEST("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), "400" },
    { "3.2 a Host with a bad port", REQUEST("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"), "400" },
    { "3.2 a bad Host, HTTP/1.0", REQUEST("GET / HTTP/1.0\r\nHost: a b\r\n\r\n"), "400" },
    { "5 names that begin as known ones",
      GET("Hos: x\r\nHost1: y\r\nSec: b\r\nX: b\r\nContent-Length2: z\r\n"),
      "GET / 1 host=a none" },
    { "5 an empty value", GET("X:\r\nY: \r\n"), "GET / 1 host=a none" },
    { "5 no colon", GET("X\r\n"), "400" },
    { "5 no name", GET(": x\r\n"), "400" },
    { "5 a name that is no token", GET("X[]: y\r\n"), "400" },
    { "5 a name beyond ASCII", GET("X\xe9: y\r\n"), "400" },
    { "5 a name with a control character", GET("X\001: y\r\n"), "400" },
    { "5.1 white space before the colon", GET("X : y\r\n"), "400" },
    { "5.1 a tab before the colon", GET("X\t: y\r\n"), "400" },
    { "5.1 white space before the colon of Host", REQUEST("GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
      "400" },
    { "5.2 a folded line", GET("X: a\r\n b\r\n"), "400" },
    { "5.2 a folded line, tab", GET("X: a\r\n\tb\r\n"), "400" },
    { "5.2 a folded line of nothing", GET("X: a\r\n \r\n"), "400" },
    { "RFC 9110 5.5 a tab within a value", GET("X: a\tb\r\n"), "GET / 1 host=a none" },
    { "RFC 9110 5.5 beyond ASCII", GET("X: \xe9\xff\x80\r\n"), "GET / 1 host=a none" },
    { "RFC 9110 5.5 NUL", GET("X: a\0b\r\n"), "400" },
    { "RFC 9110 5.5 another control character", GET("X: a\001b\r\n"), "400" },
    { "RFC 9110 5.5 BEL", GET("X: test\a\r\n"), "400" },
    { "RFC 9110 5.5 DEL", GET("X: a\x7f\r\n"), "400" },
    { "6.2 a length", POST("Content-Length: 5\r\n"), "POST / 1 host=a 5" },
    { "6.2 zero", POST("Content-Length: 0\r\n"), "POST / 1 host=a 0" },
    { "6.2 leading zeros, white space", POST("content-length: \t0005 \t\r\n"),
      "POST / 1 host=a 5" },
    { "6.2 of a GET", GET("Content-Length: 7\r\n"), "GET / 1 host=a 7" },
    { "6.2 HTTP/1.0", REQUEST("POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\n"),
      "POST / 0 host=~ 5 close" },
    { "6.2 as long as is taken", POST("Content-Length: 9223372036854775799\r\n"),
      "POST / 1 host=a 9223372036854775799" },
    { "6.2 above 63 bits", POST("Content-Length: 9223372036854775808\r\n"), "400" },
    { "6.2 above 64 bits", POST("Content-Length: 18446744073709551616\r\n"), "400" },
    { "6.2 far above", POST("Content-Length: 99999999999999999999999\r\n"), "400" },
    { "6.3 none", POST(""), "POST / 1 host=a none" },
    { "6.3 letters", POST("Content-Length: abc\r\n"), "400" },
    { "6.3 empty", POST("Content-Length:\r\n"), "400" },
    { "6.3 a sign", POST("Content-Length: +5\r\n"), "400" },
    { "6.3 negative", POST("Content-Length: -5\r\n"), "400" },
    { "6.3 hexadecimal", POST("Content-Length: 0x3a\r\n"), "400" },
    { "6.3 quoted", POST("Content-Length: \"58\"\r\n"), "400" },
    { "6.3 two numbers", POST("Content-Length: 1 2\r\n"), "400" },
    { "6.3 a list", POST("Content-Length: 5, 5\r\n"), "400" },
    { "6.3 a fraction", POST("Content-Length: 5.0\r\n"), "400" },
    { "6.3 twice", POST("Content-Length: 5\r\nContent-Length: 6\r\n"), "400" },
    { "6.3 twice the same", POST("Content-Length: 5\r\nContent-Length: 5\r\n"), "400" },
    { "6.1 chunked", POST("Transfer-Encoding: chunked\r\n"), "POST / 1 host=a chunked" },
    { "6.1 chunked in any case", POST("transfer-encoding:  CHUNKED \r\n"),
      "POST / 1 host=a chunked" },
    { "6.1 chunked behind an empty element", POST("Transfer-Encoding: , chunked\r\n"),
      "POST / 1 host=a chunked" },
    { "6.1 chunked before an empty element", POST("Transfer-Encoding: chunked,\r\n"), "400" },
    { "6.1 another before chunked", POST("Transfer-Encoding: gzip, chunked\r\n"), "501" },
    { "6.1 another before chunked, two lines",
      POST("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), "501" },
    { "6.1 HTTP/1.0", REQUEST("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
      "400" },
    { "6.3 another", POST("Transfer-Encoding: gzip\r\n"), "400" },
    { "6.3 identity", POST("Transfer-Encoding: identity\r\n"), "400" },
    { "6.3 another behind chunked", POST("Transfer-Encoding: chunked, gzip\r\n"), "400" },
    { "6.3 empty", POST("Transfer-Encoding:\r\n"), "400" },
    { "6.3 nearly chunked", POST("Transfer-Encoding: xchunked\r\n"), "400" },
    { "6.3 nearly chunked, behind", POST("Transfer-Encoding: chunkedx\r\n"), "400" },
    { "6.3 quoted", POST("Transfer-Encoding: \"chunked\"\r\n"), "400" },
    { "7 chunked twice", POST("Transfer-Encoding: chunked, chunked\r\n"), "400" },
    { "7 chunked twice, two lines",
      POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "400" },
    { "7.1 chunked with a parameter", POST("Transfer-Encoding: chunked;a=b\r\n"), "400" },
    { "6.3 length and coding", POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), "400" },
    { "6.3 coding and length", POST("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), "400" },
    { "6.3 length and another coding", POST("Transfer-Encoding: identity\r\nContent-Length: 5\r\n"),
      "400" },
    { "9.3 close", GET("Connection: close\r\n"), "GET / 1 host=a none close" },
    { "9.3 close among others", GET("Connection: x,\tClose , y\r\n"), "GET / 1 host=a none close" },
    { "9.3 close in the second line", GET("Connection: x\r\nConnection: close\r\n"),
      "GET / 1 host=a none close" },
    { "9.3 nearly close", GET("Connection: closed, xclose, close;x\r\n"), "GET / 1 host=a none" },
    { "9.3 keep-alive", GET("Connection: keep-alive\r\n"), "GET / 1 host=a none" },
    { "9.3 keep-alive and close", GET("Connection: keep-alive, close\r\n"),
      "GET / 1 host=a none close" },
    { "9.3 HTTP/1.0 keep-alive", REQUEST("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"),
      "GET / 0 host=~ none" },
    { "9.3 HTTP/1.0 keep-alive and close",
      REQUEST("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"),
      "GET / 0 host=~ none close" },
    { "RFC 9110 7.8 an upgrade", GET("Connection: keep-alive, Upgrade\r\nUpgrade: x\r\n"),
      "GET / 1 host=a none upgrade" },
    { "RFC 9110 7.8 names in any case", GET("CONNECTION: UPGRADE\r\nuPGRADE: x\r\n"),
      "GET / 1 host=a none upgrade" },
    { "RFC 9110 7.8 not in Connection", GET("Upgrade: x\r\n"), "GET / 1 host=a none" },
    { "RFC 9110 7.8 only in Connection", GET("Connection: upgrade\r\n"), "GET / 1 host=a none" },
    { "RFC 9110 7.8 HTTP/1.0",
      REQUEST("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
      "GET / 0 host=~ none close" },
    { "RFC 9110 10.1.1 an expectation", POST("Expect: 100-continue\r\nContent-Length: 2\r\n"),
      "POST / 1 host=a 2 continue" },
    { "RFC 9110 10.1.1 in any case, chunked",
      POST("expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n"),
      "POST / 1 host=a chunked continue" },
    { "RFC 9110 10.1.1 without a body", POST("Expect: 100-continue\r\n"), "POST / 1 host=a none" },
    { "RFC 9110 10.1.1 with an empty body", POST("Expect: 100-continue\r\nContent-Length: 0\r\n"),
      "POST / 1 host=a 0" },
    { "RFC 9110 10.1.1 another", POST("Expect: banana\r\n"), "417" },
    { "RFC 9110 10.1.1 another beside it", POST("Expect: 100-continue, banana\r\n"), "417" },
    { "RFC 9110 10.1.1 HTTP/1.0",
      REQUEST("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
      "POST / 0 host=~ 2 close" },
    { "RFC 9110 10.1.1 another, HTTP/1.0", REQUEST("POST / HTTP/1.0\r\nExpect: banana\r\n\r\n"),
      "POST / 0 host=~ none close" },
    { "RFC 9110 10.1.1 a bad length before a bad expectation",
      POST("Expect: x\r\nTransfer-Encoding: x\r\n"), "400" },
};

static void write_head(const struct head *head, char *text) {
    bool query = head->target.query.data != NULL;
    text += sprintf(text, "%s %.*s%s%.*s %u host=", head_method_text(head->method),
                    (int)head->target.path.size, head->target.path.data, query ? "?" : "",
                    (int)head->target.query.size, query ? head->target.query.data : "",
                    head->minor);
    text += head->host.data == NULL ? sprintf(text, "~ ")
                                    : sprintf(text, "%.*s ", (int)head->host.size, head->host.data);
    if (head->body == HEAD_BODY_LENGTH)
        text += sprintf(text, "%llu", (unsigned long long)head->body_size);
    else
        text += sprintf(text, "%s", head->body == HEAD_BODY_CHUNKED ? "chunked" : "none");
    sprintf(text, "%s%s%s", head->keep_alive ? "" : " close",
            head->expect_continue ? " continue" : "", head->upgrade ? " upgrade" : "");
}

/* From memory of just that size, so that a sanitizer sees what is read beside it; elsewhere each time. */
static enum head_result feed(struct head_reader *reader, const struct example *example, size_t size,
                             char *text) {
    struct head head;
    char *bytes = malloc(size > 0 ? size : 1);
    memcpy(bytes, example->text, size);
    enum head_result result = head_read(reader, bytes, size, &head);
    if (result == HEAD_DONE) {
        write_head(&head, text);
        if (head.size != example->size)
            ck_abort_msg("%s: %zu of %zu bytes", example->section, head.size, example->size);
    } else if (result == HEAD_REFUSED) {
        sprintf(text, "%u", head.status);
        if (head.reason == NULL)
            ck_abort_msg("%s: without a reason", example->section);
    }
    free(bytes);
    return result;
}

static void check(const struct example *example, size_t one, size_t two) {
    struct head_reader reader = { 0 }, untouched = { 0 };
    char text[256] = "more";
    if (feed(&reader, example, one, text) == HEAD_MORE &&
        feed(&reader, example, two, text) == HEAD_MORE)
        feed(&reader, example, example->size, text);
    if (strcmp(text, example->result) != 0)
        ck_abort_msg("%s, cut at %zu and %zu: %s", example->section, one, two, text);
    if (memcmp(&reader, &untouched, sizeof reader) != 0)
        ck_abort_msg("%s: the reader is not at its start", example->section);
}

START_TEST(heads_are_read_as_the_standard_says) {
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
        check(&examples[i], examples[i].size, examples[i].size);
}
END_TEST

START_TEST(heads_are_read_the_same_in_any_pieces) {
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        const struct example *example = &examples[i];
        for (size_t one = 0; one <= example->size; one++)
            for (size_t two = one; two <= example->size; two++)
                check(example, one, two);
        struct head_reader reader = { 0 };
        char text[256] = "more";
        for (size_t size = 1; size <= example->size; size++)
            if (feed(&reader, example, size, text) != HEAD_MORE)
                break;
        ck_assert_msg(strcmp(text, example->result) == 0, "%s, byte by byte: %s", example->section,
                      text);
    }
}
END_TEST

/* A prefix of a good head is never refused, nor done. */
START_TEST(what_is_not_complete_is_waited_for) {
    const char *text = "HEAD /a?b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    struct head head;
    for (size_t size = 0; size < strlen(text); size++) {
        struct head_reader reader = { 0 };
        ck_assert_int_eq(head_read(&reader, text, size, &head), HEAD_MORE);
        ck_assert_int_eq(head.method, size > strlen("HEAD") ? HEAD_HEAD : HEAD_GET);
    }
}
END_TEST

START_TEST(what_follows_is_left_for_the_next_request) {
    const char *text = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
    struct head_reader reader = { 0 };
    struct head head;
    ck_assert_int_eq(head_read(&reader, text, strlen(text), &head), HEAD_DONE);
    ck_assert(slice_is(head.target.path, "/1"));
    text += head.size;
    ck_assert_int_eq(head_read(&reader, text, strlen(text), &head), HEAD_DONE);
    ck_assert(slice_is(head.target.path, "/2"));
    ck_assert_uint_eq(head.size, strlen(text));
}
END_TEST

/* "GET /aaa HTTP/1.1" of a target of so many bytes, and a field that makes the whole head as long as that. */
static size_t put_long(char *bytes, size_t target, size_t size) {
    size_t used = (size_t)sprintf(bytes, "GET /%0*d HTTP/1.1\r\nHost: a\r\nX: ", (int)target - 1,
                                  0);
    if (size < used + 4)
        return used;
    memset(bytes + used, 'x', size - used - 4);
    memcpy(bytes + size - 4, "\r\n\r\n", 4);
    return size;
}

static unsigned status_of(const char *bytes, size_t size, size_t step) {
    struct head_reader reader = { 0 };
    struct head head;
    enum head_result result = HEAD_MORE;
    for (size_t at = step < size ? step : size; result == HEAD_MORE;
         at = at + step < size ? at + step : size) {
        result = head_read(&reader, bytes, at, &head);
        if (at == size)
            break;
    }
    return result == HEAD_DONE ? 200 : result == HEAD_MORE ? 100 : head.status;
}

START_TEST(sizes_have_limits) {
    static char bytes[3 * HEAD_BYTES_MAX];
    static const size_t steps[] = { 1, 1000, sizeof bytes };
    for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
        size_t step = steps[k];
        size_t size = put_long(bytes, HEAD_TARGET_BYTES_MAX, HEAD_BYTES_MAX);
        ck_assert_uint_eq(status_of(bytes, size, step), 200);
        size = put_long(bytes, HEAD_TARGET_BYTES_MAX + 1, HEAD_BYTES_MAX);
        ck_assert_uint_eq(status_of(bytes, size, step), 414); /* 3 */
        ck_assert_uint_eq(status_of(bytes, HEAD_TARGET_BYTES_MAX + 5, step), 414);
        size = put_long(bytes, 100, HEAD_BYTES_MAX + 1);
        ck_assert_uint_eq(status_of(bytes, size, step), 431); /* RFC 6585, section 5 */
        size = put_long(bytes, 100, 2 * HEAD_BYTES_MAX);
        ck_assert_uint_eq(status_of(bytes, size, step), 431);
        ck_assert_uint_eq(status_of(bytes, HEAD_BYTES_MAX - 1, step), 100);
        ck_assert_uint_eq(status_of(bytes, HEAD_BYTES_MAX, step), 431);
        for (size_t i = 0; i < sizeof bytes; i += 2)
            memcpy(bytes + i, "\r\n", 2);
        ck_assert_uint_eq(status_of(bytes, sizeof bytes, step),
                          431); /* 2.2: empty lines without end */
    }
}
END_TEST

START_TEST(as_many_fields_as_fit_are_read) {
    static char bytes[HEAD_BYTES_MAX];
    struct head_reader reader = { 0 };
    struct head head;
    struct slice value;
    size_t size = (size_t)sprintf(bytes, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 2000; i++)
        size += (size_t)sprintf(bytes + size, "X:%d\r\n", i % 10);
    size += (size_t)sprintf(bytes + size, "Y: last\r\n\r\n");
    ck_assert_int_eq(head_read(&reader, bytes, size, &head), HEAD_DONE);
    ck_assert_uint_eq(head_count(&head, "x"), 2000);
    ck_assert(head_field(&head, "y", &value) && slice_is(value, "last"));
}
END_TEST

START_TEST(fields_are_found_by_their_whole_name_in_any_case) {
    const char *text =
        "GET / HTTP/1.1\r\nHost: a\r\nAB:  1 \r\nA: 2\r\nab:\t3\r\nA-B: 4\r\nEmpty:\r\n\r\n";
    struct head_reader reader = { 0 };
    struct head head;
    struct slice value, rest;
    ck_assert_int_eq(head_read(&reader, text, strlen(text), &head), HEAD_DONE);
    ck_assert(head_field(&head, "a", &value) && slice_is(value, "2"));
    ck_assert(head_field(&head, "Ab", &value) && slice_is(value, "1"));
    ck_assert(head_field(&head, "empty", &value) && value.size == 0);
    ck_assert(!head_field(&head, "b", &value));
    ck_assert(!head_field(&head, "A-", &value));
    ck_assert(!head_field(&head, "GET / HTTP/1.1", &value));
    ck_assert_uint_eq(head_count(&head, "AB"), 2);
    ck_assert_uint_eq(head_count(&head, "C"), 0);
    rest = head.fields;
    ck_assert(head_next_field(&rest, "AB", &value) && slice_is(value, "1"));
    ck_assert(head_next_field(&rest, "AB", &value) && slice_is(value, "3"));
    ck_assert(!head_next_field(&rest, "AB", &value));
    const char *none = "GET / HTTP/1.0\r\n\r\n";
    ck_assert_int_eq(head_read(&reader, none, strlen(none), &head), HEAD_DONE);
    ck_assert(!head_field(&head, "A", &value));
    ck_assert_uint_eq(head.fields.size, 0);
}
END_TEST

START_TEST(a_refused_head_request_is_known_to_want_no_body) {
    static const char *const texts[] = { "HEAD / HTTP/2.0\r\n", "HEAD /  ",
                                         "HEAD / HTTP/1.1\r\nX : y" };
    struct head_reader reader = { 0 };
    struct head head;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ck_assert_int_eq(head_read(&reader, texts[i], strlen(texts[i]), &head), HEAD_REFUSED);
        ck_assert_int_eq(head.method, HEAD_HEAD);
    }
    ck_assert_int_eq(head_read(&reader, "BREW / HTTP/1.1\r\n", 17, &head), HEAD_REFUSED);
    ck_assert_int_eq(head.method, HEAD_GET);
}
END_TEST

SUITE_MAIN("head", heads_are_read_as_the_standard_says, heads_are_read_the_same_in_any_pieces,
           what_is_not_complete_is_waited_for, what_follows_is_left_for_the_next_request,
           sizes_have_limits, as_many_fields_as_fit_are_read,
           fields_are_found_by_their_whole_name_in_any_case,
           a_refused_head_request_is_known_to_want_no_body)
