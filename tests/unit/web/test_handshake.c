#include "handshake.h"

#include <stdio.h>
#include <string.h>

#include "suite.h"

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define GOOD UPGRADE VERSION KEY
#define OFFER GOOD "Sec-WebSocket-Protocol: "
#define EXTENSIONS GOOD "Sec-WebSocket-Extensions: "

enum { NONE = 0, TAKEN = 101 };

struct example {
    const char *section; /* of RFC 6455, if no other is named */
    const char *fields;
    unsigned status; /* NONE: no handshake */
    const char *protocol;
};

static const char *const spoken[] = { "second", "first", NULL };

static const struct example examples[] = {
    { "1.3", GOOD, TAKEN, NULL },
    { "1.3 in another order", KEY VERSION "Connection: Upgrade\r\nUpgrade: websocket\r\n", TAKEN,
      NULL },
    { "4.2.1, 3 in any case", "UPGRADE: WebSocket\r\nCONNECTION: upgrade\r\n" VERSION KEY, TAKEN,
      NULL },
    { "4.2.1, 3 among others", "Upgrade: h2c, websocket\r\nConnection: Upgrade\r\n" VERSION KEY,
      TAKEN, NULL },
    { "4.2.1, 3 in a second line",
      "Upgrade: h2c\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" VERSION KEY, TAKEN, NULL },
    { "4.2.1, 3 no Upgrade", "Connection: Upgrade\r\n" VERSION KEY, NONE, NULL },
    { "4.2.1, 3 another", "Upgrade: h2c\r\nConnection: Upgrade\r\n" VERSION KEY, NONE, NULL },
    { "4.2.1, 3 a version of it", "Upgrade: websocket/13\r\nConnection: Upgrade\r\n" VERSION KEY,
      NONE, NULL },
    { "4.2.1, 3 nearly", "Upgrade: websockets\r\nConnection: Upgrade\r\n" VERSION KEY, NONE, NULL },
    { "4.2.1, 3 empty", "Upgrade:\r\nConnection: Upgrade\r\n" VERSION KEY, NONE, NULL },
    { "4.2.1, 4 among others",
      "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" VERSION KEY, TAKEN, NULL },
    { "4.2.1, 4 no Connection", "Upgrade: websocket\r\n" VERSION KEY, NONE, NULL },
    { "4.2.1, 4 without it", "Upgrade: websocket\r\nConnection: keep-alive\r\n" VERSION KEY, NONE,
      NULL },
    { "4.2.1, 5 no key", UPGRADE VERSION, 400, NULL },
    { "4.2.1, 5 two keys", GOOD KEY, 400, NULL },
    { "4.2.1, 5 empty", UPGRADE VERSION "Sec-WebSocket-Key:\r\n", 400, NULL },
    { "4.2.1, 5 too short", UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n", 400,
      NULL },
    { "4.2.1, 5 15 bytes", UPGRADE VERSION "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA\r\n", 400,
      NULL },
    { "4.2.1, 5 17 bytes", UPGRADE VERSION "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=\r\n", 400,
      NULL },
    { "4.2.1, 5 18 bytes", UPGRADE VERSION "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAAA\r\n", 400,
      NULL },
    { "4.2.1, 5 too long", UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ===\r\n", 400,
      NULL },
    { "4.2.1, 5 no base64", UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZ-Bub25jZQ==\r\n", 400,
      NULL },
    { "4.2.1, 5 no base64, @", UPGRADE VERSION "Sec-WebSocket-Key: @GhlIHNhbXBsZSBub25jZQ==\r\n",
      400, NULL },
    { "4.2.1, 5 no base64, the last",
      UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ{==\r\n", 400, NULL },
    { "4.2.1, 5 = within", UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBs=SBub25jZQ==\r\n", 400,
      NULL },
    { "4.2.1, 5 all of base64", UPGRADE VERSION "Sec-WebSocket-Key: +/09azAZ+/09azAZ+/09aw==\r\n",
      TAKEN, NULL },
    { "RFC 4648 3.5 bits behind the end",
      UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n", TAKEN, NULL },
    { "4.2.1, 6 no version", UPGRADE KEY, 426, NULL },
    { "4.2.1, 6 version 8", UPGRADE KEY "Sec-WebSocket-Version: 8\r\n", 426, NULL },
    { "4.2.1, 6 version 14", UPGRADE KEY "Sec-WebSocket-Version: 14\r\n", 426, NULL },
    { "4.2.1, 6 013", UPGRADE KEY "Sec-WebSocket-Version: 013\r\n", 426, NULL },
    { "4.2.1, 6 13.0", UPGRADE KEY "Sec-WebSocket-Version: 13.0\r\n", 426, NULL },
    { "4.2.1, 6 a list", UPGRADE KEY "Sec-WebSocket-Version: 13, 8\r\n", 426, NULL },
    { "4.2.1, 6 twice", GOOD VERSION, 426, NULL },
    { "4.2.1, 6 empty", UPGRADE KEY "Sec-WebSocket-Version:\r\n", 426, NULL },
    { "4.2.1, 6 a version that is none before a key that is none",
      UPGRADE "Sec-WebSocket-Version: 1\r\n", 426, NULL },
    { "4.1 a body", GOOD "Content-Length: 3\r\n", 400, NULL },
    { "4.1 a chunked body", GOOD "Transfer-Encoding: chunked\r\n", 400, NULL },
    { "4.1 an empty body", GOOD "Content-Length: 0\r\n", TAKEN, NULL },
    { "4.2.2 a subprotocol", OFFER "first\r\n", TAKEN, "first" },
    { "4.2.2 the server's order", OFFER "first, second\r\n", TAKEN, "second" },
    { "4.2.2 some", OFFER "a,first , c\r\n", TAKEN, "first" },
    { "4.2.2 in two lines", OFFER "a\r\nSec-WebSocket-Protocol: first\r\n", TAKEN, "first" },
    { "4.2.2 none of ours", OFFER "soap, wamp\r\n", TAKEN, NULL },
    { "4.2.2 in another case", OFFER "First\r\n", TAKEN, NULL },
    { "4.2.2 nearly ours", OFFER "firs, firstt\r\n", TAKEN, NULL },
    { "4.1, 10 empty", OFFER "\r\n", 400, NULL },
    { "4.1, 10 an empty element", OFFER "first,,a\r\n", 400, NULL },
    { "4.1, 10 an empty element at the end", OFFER "first,\r\n", 400, NULL },
    { "4.1, 10 no token", OFFER "first second\r\n", 400, NULL },
    { "4.1, 10 quotes", OFFER "\"first\"\r\n", 400, NULL },
    { "4.1, 10 twice", OFFER "first, first\r\n", 400, NULL },
    { "4.1, 10 twice, in two lines", OFFER "first\r\nSec-WebSocket-Protocol: a, first\r\n", 400,
      NULL },
    { "9.1 an extension", EXTENSIONS "permessage-deflate; client_max_window_bits\r\n", TAKEN,
      NULL },
    { "9.1 some", EXTENSIONS "a, b;c=d;e , f;g=\"h\" ; i\r\n", TAKEN, NULL },
    { "9.1 a quoted pair", EXTENSIONS "a;b=\"\\c\\d\"\r\n", TAKEN, NULL },
    { "9.1 two lines", EXTENSIONS "a\r\nSec-WebSocket-Extensions: b\r\n", TAKEN, NULL },
    { "9.1 an empty value", EXTENSIONS "\r\n", TAKEN, NULL },
    { "9.1 an empty element", EXTENSIONS "a,,b\r\n", TAKEN, NULL },
    { "9.1 an empty parameter", EXTENSIONS "a; \r\n", 400, NULL },
    { "9.1 an empty parameter within", EXTENSIONS "a;;b\r\n", 400, NULL },
    { "9.1 no name", EXTENSIONS ";a\r\n", 400, NULL },
    { "9.1 no token", EXTENSIONS "a b\r\n", 400, NULL },
    { "9.1 a parameter that is no token", EXTENSIONS "a;b c\r\n", 400, NULL },
    { "9.1 an empty value of a parameter", EXTENSIONS "a;b=\r\n", 400, NULL },
    { "9.1 empty quotes", EXTENSIONS "a;b=\"\"\r\n", 400, NULL },
    { "9.1 quotes without end, longer", EXTENSIONS "a;b=\"cd\r\n", 400, NULL },
    { "9.1 quotes without end", EXTENSIONS "a;b=\"c\r\n", 400, NULL },
    { "9.1 quotes that hold no token", EXTENSIONS "a;b=\"c d\"\r\n", 400, NULL },
    { "9.1 a comma in quotes", EXTENSIONS "a;b=\"c,d\"\r\n", 400, NULL },
    { "9.1 a quoted end of quotes", EXTENSIONS "a;b=\"c\\\"\r\n", 400, NULL },
    { "9.1 in the second line", EXTENSIONS "a\r\nSec-WebSocket-Extensions: b;\r\n", 400, NULL },
};

static enum handshake_result read_request(const char *line, const char *fields,
                                          const char *const *protocols,
                                          struct handshake *handshake) {
    char text[2048];
    struct head_reader reader = { 0 };
    struct head head;
    int size = snprintf(text, sizeof text, "%s\r\nHost: a\r\n%s\r\n", line, fields);
    if (head_read(&reader, text, (size_t)size, &head) != HEAD_DONE)
        ck_abort_msg("%s", text);
    return handshake_read(&head, protocols, handshake);
}

START_TEST(handshakes_are_judged_as_the_standard_says) {
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        const struct example *example = &examples[i];
        struct handshake handshake;
        enum handshake_result result = read_request("GET /ws HTTP/1.1", example->fields, spoken,
                                                    &handshake);
        unsigned status = result == HANDSHAKE_GOOD   ? TAKEN
                          : result == HANDSHAKE_NONE ? NONE
                                                     : handshake.status;
        ck_assert_msg(status == example->status, "%s: %u", example->section, status);
        ck_assert_msg(result != HANDSHAKE_REFUSED ||
                          (handshake.reason != NULL && handshake.headers != NULL),
                      "%s", example->section);
        if (result != HANDSHAKE_GOOD)
            continue;
        ck_assert_uint_eq(strlen(handshake.accept), HANDSHAKE_ACCEPT_SIZE);
        ck_assert_msg((handshake.protocol == NULL) == (example->protocol == NULL), "%s",
                      example->section);
        if (example->protocol != NULL)
            ck_assert_str_eq(handshake.protocol, example->protocol);
    }
}
END_TEST

START_TEST(the_answer_is_made_of_the_key) {
    struct handshake handshake;
    ck_assert_int_eq(read_request("GET / HTTP/1.1", GOOD, NULL, &handshake), HANDSHAKE_GOOD);
    ck_assert_str_eq(handshake.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); /* 1.3 */
    ck_assert_ptr_null(handshake.protocol);
    ck_assert_int_eq(read_request("GET / HTTP/1.1",
                                  UPGRADE VERSION "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n",
                                  NULL, &handshake),
                     HANDSHAKE_GOOD);
    ck_assert_str_eq(handshake.accept, "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
}
END_TEST

START_TEST(a_server_without_subprotocols_chooses_none) {
    struct handshake handshake;
    ck_assert_int_eq(read_request("GET / HTTP/1.1", OFFER "first\r\n", NULL, &handshake),
                     HANDSHAKE_GOOD);
    ck_assert_ptr_null(handshake.protocol);
}
END_TEST

START_TEST(other_methods_and_versions_of_http_open_nothing) {
    struct handshake handshake;
    ck_assert_int_eq(read_request("POST / HTTP/1.1", GOOD, NULL, &handshake),
                     HANDSHAKE_REFUSED); /* 4.2.1, 1 */
    ck_assert_uint_eq(handshake.status, 405);
    ck_assert_str_eq(handshake.headers[0], "Allow"); /* RFC 9110, section 15.5.6 */
    ck_assert_str_eq(handshake.headers[1], "GET");
    ck_assert_ptr_null(handshake.headers[2]);
    ck_assert_int_eq(read_request("HEAD / HTTP/1.1", GOOD, NULL, &handshake), HANDSHAKE_REFUSED);
    ck_assert_int_eq(read_request("GET / HTTP/1.0", GOOD, NULL, &handshake), HANDSHAKE_NONE);
}
END_TEST

START_TEST(who_speaks_another_version_is_told_ours) {
    struct handshake handshake;
    read_request("GET / HTTP/1.1", UPGRADE KEY, NULL, &handshake);
    ck_assert_str_eq(handshake.headers[0], "Upgrade"); /* RFC 9110, section 15.5.22 */
    ck_assert_str_eq(handshake.headers[1], "websocket");
    ck_assert_str_eq(handshake.headers[2], "Sec-WebSocket-Version"); /* 4.4 */
    ck_assert_str_eq(handshake.headers[3], "13");
    ck_assert_ptr_null(handshake.headers[4]);
}
END_TEST

START_TEST(subprotocols_without_end_are_refused) {
    char fields[2048];
    struct handshake handshake;
    for (int count = HANDSHAKE_PROTOCOLS_COUNT_MAX; count <= HANDSHAKE_PROTOCOLS_COUNT_MAX + 1;
         count++) {
        size_t size = (size_t)sprintf(fields, "%s", OFFER "p0");
        for (int i = 1; i < count; i++)
            size += (size_t)sprintf(fields + size, ",p%d", i);
        strcpy(fields + size, "\r\n");
        ck_assert_int_eq(read_request("GET / HTTP/1.1", fields, NULL, &handshake),
                         count == HANDSHAKE_PROTOCOLS_COUNT_MAX ? HANDSHAKE_GOOD
                                                                : HANDSHAKE_REFUSED);
    }
}
END_TEST

SUITE_MAIN("handshake", handshakes_are_judged_as_the_standard_says, the_answer_is_made_of_the_key,
           a_server_without_subprotocols_chooses_none,
           other_methods_and_versions_of_http_open_nothing, who_speaks_another_version_is_told_ours,
           subprotocols_without_end_are_refused)
