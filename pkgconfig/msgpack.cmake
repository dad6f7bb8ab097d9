# msgpack-c as wsfan::msgpack, for the build and for who links the installed static library. Package
# and target are called msgpack-c since its version 6 (Debian 13), and msgpack and msgpackc before.
# Its CMake package comes first, because Debian 13's msgpack-c.pc names a relative include folder.
find_package(msgpack-c QUIET)
if(NOT TARGET msgpack-c)
    find_package(msgpack QUIET)
endif()
if(TARGET msgpack-c)
    set(msgpack_target msgpack-c)
elseif(TARGET msgpackc)
    set(msgpack_target msgpackc)
else()
    pkg_search_module(MSGPACK REQUIRED IMPORTED_TARGET msgpack-c msgpack)
    set(msgpack_target PkgConfig::MSGPACK)
endif()
if(NOT TARGET wsfan::msgpack)
    add_library(wsfan::msgpack INTERFACE IMPORTED)
    target_link_libraries(wsfan::msgpack INTERFACE ${msgpack_target})
endif()
