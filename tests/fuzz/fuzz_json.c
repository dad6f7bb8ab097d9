/* echo-chat's texts: any bytes become JSON, and only UTF-8 passes for it. */
#include "echo_chat.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct writer json = { 0 };
    char *text = text_of(data, size);
    bool valid = utf8_valid(text, size);
    writer_string_sized(&json, text, size);
    wsfan_bytes written = writer_text(&json);
    const char *out = written.data;
    CHECK(!json.failed && written.size >= 2 && out[0] == '"' && out[written.size - 1] == '"');
    CHECK(utf8_valid(out, written.size));
    for (size_t i = 1; i < written.size - 1; i++) {
        CHECK((unsigned char)out[i] >= 0x20 && out[i] != '"');
        if (out[i] == '\\')
            i++;
    }
    if (valid)
        CHECK(written.size >= size + 2);
    writer_free(&json);
    free(text);
    return 0;
}
