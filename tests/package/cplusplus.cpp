// The header in C++11, used as C++ would.
#include <wsfan/metrics.h>
#include <wsfan/wsfan.h>

#include <string>

int main() {
    wsfan_options options;
    wsfan_options_init(&options);
    std::string name = "replica-1";
    options.name = name.c_str();
    wsfan_node *node = nullptr;
    if (wsfan_node_open(&node, &options) != WSFAN_OK || wsfan_node_name(node) != name)
        return 1;
    wsfan_target target = { WSFAN_CHAT, wsfan_string("chat") };
    if (wsfan_publish(node, &target, 1, wsfan_bytes{ name.data(), name.size() }, nullptr) !=
        WSFAN_OK)
        return 1;
    return wsfan_node_close(node) == WSFAN_OK ? 0 : 1;
}
