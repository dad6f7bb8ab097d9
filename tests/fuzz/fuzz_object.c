/* JSON texts of the mesh: what echo-chat's quick look takes for an object without an id or a position, a reader of all of
 * JSON does, too; and it takes all that echo-chat writes. */
#include "echo_chat.h"
#include "target.h"
#include "utf8.h"

static void check_taken(const char *text, size_t size, struct slice members) {
    json_t *object = json_loadb(text, size, JSON_ALLOW_NUL, NULL);
    CHECK(json_is_object(object) && json_object_size(object) > 0);
    CHECK(json_object_get(object, "id") == NULL && json_object_get(object, "position") == NULL &&
          json_object_get(object, "replayed") == NULL);
    CHECK(members.data > text && members.data[-1] == '{' &&
          members.data + members.size == text + size);
    CHECK(memchr(text, '{', size) == members.data - 1);
    json_decref(object);
}

/* Whatever a client says. */
static void check_written(const char *text, size_t size) {
    struct writer json = { 0 };
    struct slice members;
    char id[ID_BYTES + 1];
    writer_id(id, size, ~(uint64_t)size);
    CHECK(strlen(id) == ID_BYTES);
    writer_literal(&json, "{\"type\":\"message\",\"session\":");
    writer_string(&json, id);
    writer_literal(&json, ",\"text\":");
    writer_string_sized(&json, text, size);
    writer_literal(&json, "}");
    wsfan_bytes written = writer_text(&json);
    CHECK(!json.failed && utf8_valid(written.data, written.size));
    CHECK(object_has_members(written.data, written.size, &members));
    check_taken(written.data, written.size, members);
    writer_free(&json);
}

static void check_plain(const char *text, size_t size) {
    size_t count = 0;
    while (count < size && (unsigned char)text[count] < 0x80 && (unsigned char)text[count] >= ' ' &&
           strchr("\"\\", text[count]) == NULL)
        count++;
    CHECK(writer_plain_size(text, size) == count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size > 0 ? size
                                 : 1); /* exactly so large, that what is read beside it is seen */
    struct slice members;
    CHECK(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    if (utf8_valid(text, size) && object_has_members(text, size, &members))
        check_taken(text, size, members);
    check_written(text, size);
    check_plain(text, size);
    free(text);
    return 0;
}
