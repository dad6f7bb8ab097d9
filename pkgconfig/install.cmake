# What `cmake --install` puts where, by components, of which docs/integrating.md has a table. `cmake --install` takes all of them,
# `--component NAME` one; packaging/packages.cmake makes a package of each.
include(CMakePackageConfigHelpers)
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME development)

install(TARGETS ${libraries} EXPORT wsfanTargets LIBRARY COMPONENT runtime NAMELINK_COMPONENT development)
foreach(header wsfan error options peers registry presence history requests placement stats diagnosis metrics outbound carrier)
    install(FILES include/wsfan/${header}.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/wsfan)
endforeach()
foreach(adapter glib libev libevent libuv libwebsockets poll)
    install(FILES include/wsfan/adapters/${adapter}.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/wsfan/adapters)
endforeach()

# install_program(TARGET PAGE COMPONENT): a program that uses the library finds it wherever both are moved.
function(install_program target page component)
    if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
        set_target_properties(${target} PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
    endif()
    install(TARGETS ${target} DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT ${component})
    install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT ${component})
endfunction()
if(WSFAN_BUILD_TOOLS)
    install_program(wsfan-keygen tools/wsfan-keygen.1 tools)
endif()
set(ZSH_COMPLETIONS ${CMAKE_INSTALL_DATADIR}/zsh/site-functions CACHE STRING "Where zsh looks for completions")
if(TARGET wsfan_tool)
    install_program(wsfan_tool tools/wsfan.1 tools)
    install(FILES tools/completion.bash RENAME wsfan
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT tools)
    install(FILES tools/completion.zsh RENAME _wsfan
        DESTINATION ${ZSH_COMPLETIONS} COMPONENT tools)
endif()
if(TARGET wsfan-entry)
    install_program(wsfan-entry tools/entry/wsfan-entry.1 entry)
endif()
if(TARGET echo-chat)
    install_program(echo-chat examples/echo-chat/echo-chat.1 chat)
endif()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT license)

# The prefix is found from where the file lies, so that an installed tree can be moved. Directories
# that were given as absolute paths stay where they are.
set(pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH pc_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
foreach(dir LIBDIR INCLUDEDIR)
    set(pc_${dir} "\${prefix}/${CMAKE_INSTALL_${dir}}")
    if(IS_ABSOLUTE "${CMAKE_INSTALL_${dir}}")
        set(pc_${dir} "${CMAKE_INSTALL_${dir}}")
    endif()
endforeach()
# write_pc NAME FLAG...: a .pc file; the flags are for who links the static library, and without a
# shared one that is everybody. They are not Requires.private: what libzmq requires would come along
# for everybody, in Debian with norm.pc, whose libprotokit.a no linker finds, and header folders of
# libraries that no public header includes.
function(write_pc name)
    list(JOIN ARGN " " flags)
    set(pc_libs "")
    set(pc_libs_private "")
    if(WSFAN_BUILD_SHARED)
        set(pc_libs_private "${flags}")
    else()
        set(pc_libs "${flags}")
    endif()
    configure_file(pkgconfig/${name}.pc.in ${name}.pc @ONLY)
endfunction()
pkg_search_module(MSGPACK QUIET msgpack-c msgpack)
if(NOT MSGPACK_FOUND)
    set(MSGPACK_LDFLAGS -l${msgpack_target})
endif()
write_pc(wsfan ${ZMQ_LDFLAGS} ${MSGPACK_LDFLAGS} ${SODIUM_LDFLAGS} ${CARES_LDFLAGS} -pthread)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/wsfan.pc DESTINATION ${pc_dir})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/wsfan)
configure_package_config_file(pkgconfig/wsfanConfig.cmake.in wsfanConfig.cmake
    INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(wsfanConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES pkgconfig/msgpack.cmake ${CMAKE_CURRENT_BINARY_DIR}/wsfanConfig.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/wsfanConfigVersion.cmake DESTINATION ${package_dir})
if(WSFAN_BEACON)
    install(TARGETS ${beacon_libraries} EXPORT wsfanBeaconTargets
        LIBRARY COMPONENT beacon NAMELINK_COMPONENT beacon-development
        ARCHIVE COMPONENT beacon-development)
    install(FILES include/wsfan/beacon.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/wsfan
        COMPONENT beacon-development)
    write_pc(wsfan-beacon ${CZMQ_LDFLAGS} -pthread)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/wsfan-beacon.pc DESTINATION ${pc_dir}
        COMPONENT beacon-development)
    install(EXPORT wsfanBeaconTargets NAMESPACE wsfan:: DESTINATION ${package_dir}
        COMPONENT beacon-development)
endif()
if(WSFAN_NATS)
    install(TARGETS ${nats_libraries} EXPORT wsfanNatsTargets
        LIBRARY COMPONENT nats NAMELINK_COMPONENT nats-development
        ARCHIVE COMPONENT nats-development)
    install(FILES include/wsfan/nats.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/wsfan
        COMPONENT nats-development)
    write_pc(wsfan-nats ${NATS_LDFLAGS} -pthread)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/wsfan-nats.pc DESTINATION ${pc_dir}
        COMPONENT nats-development)
    install(EXPORT wsfanNatsTargets NAMESPACE wsfan:: DESTINATION ${package_dir}
        COMPONENT nats-development)
endif()
install(EXPORT wsfanTargets NAMESPACE wsfan:: DESTINATION ${package_dir})

# What `cmake --install` put somewhere goes again.
if(WSFAN_IS_TOP_LEVEL)
    add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -DBUILD=${CMAKE_BINARY_DIR}
        -P ${PROJECT_SOURCE_DIR}/packaging/uninstall.cmake VERBATIM)
    include(packaging/packages.cmake)
endif()
