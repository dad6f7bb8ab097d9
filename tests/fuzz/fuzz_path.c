/* The target of a request: a path that is taken has no dot segments, is UTF-8, and means the same when it is written
 * in another way: every byte encoded. */
#include "head.h" /* and with it the target.h of the servers; the next one is beside this file */
#include "target.h"
#include "utf8.h"

static void check_path(const char *path, size_t size) {
    CHECK(size > 0 && strlen(path) == size && path[0] == '/' && utf8_valid(path, size));
    for (const char *at = path; at != NULL; at = strchr(at + 1, '/')) {
        size_t segment = strcspn(at + 1, "/");
        CHECK(segment == 0 || segment > 2 || (segment == 1 && at[1] != '.') ||
              (segment == 2 && memcmp(at + 1, "..", 2) != 0));
    }
}

/* Writes the path with each byte but '/' encoded, and reads it. */
static void check_encoded(const char *path, size_t size) {
    char *text = malloc(3 * size + 1), *again = malloc(size + 1);
    CHECK(text != NULL && again != NULL);
    size_t used = 0;
    for (size_t i = 0; i < size; i++)
        used += (size_t)sprintf(text + used,
                                path[i] == '/' ? "/"
                                : i % 2 == 0   ? "%%%02x"
                                               : "%%%02X",
                                (unsigned char)path[i]);
    struct target target;
    CHECK(target_read(&target, (struct slice){ text, used }));
    CHECK(target.form == TARGET_ORIGIN && target.query.data == NULL);
    CHECK(target_path(&target, again, size) == (int)size && memcmp(again, path, size) == 0);
    free(text);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct target target;
    char *text = text_of(data, size);
    if (target_read(&target, (struct slice){ text, size })) {
        size_t room = target.path.size > 0 ? target.path.size : 1;
        char *path = malloc(room + 1);
        CHECK(path != NULL);
        int length = target_path(&target, path, room);
        CHECK(length <= (int)room);
        if (target.form == TARGET_ASTERISK)
            CHECK(length == 1 && strcmp(path, "*") == 0 && size == 1);
        else if (length >= 0) {
            check_path(path, (size_t)length);
            check_encoded(path, (size_t)length);
        } else
            CHECK(memchr(text, '%', size) != NULL);
        CHECK(target.form != TARGET_ABSOLUTE ||
              (target.authority.size > 0 && syntax_is_authority(target.authority)));
        free(path);
    }
    free(text);
    return 0;
}
