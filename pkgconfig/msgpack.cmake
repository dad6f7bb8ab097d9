# msgpack-c as wsfan::msgpack, for the build and for who links the installed static library. Package
# and target are called msgpack-c since its version 6 (Debian 13), and msgpack and msgpackc before.
# Its CMake package comes first, because Debian 13's msgpack-c.pc names a relative include folder.
if(NOT TARGET wsfan::msgpack)
    add_library(wsfan::msgpack INTERFACE IMPORTED)
    find_package(msgpack-c QUIET)
    if(NOT TARGET msgpack-c)
        find_package(msgpack QUIET)
    endif()
    if(TARGET msgpack-c)
        target_link_libraries(wsfan::msgpack INTERFACE msgpack-c)
    elseif(TARGET msgpackc)
        target_link_libraries(wsfan::msgpack INTERFACE msgpackc)
    else()
        pkg_search_module(MSGPACK REQUIRED IMPORTED_TARGET msgpack-c msgpack)
        target_link_libraries(wsfan::msgpack INTERFACE PkgConfig::MSGPACK)
    endif()
endif()
