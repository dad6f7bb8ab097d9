# What `cmake --install` puts where: the libraries, the header, and the two ways to find them.
include(CMakePackageConfigHelpers)

install(TARGETS ${libraries} EXPORT wsfanTargets)
install(FILES include/wsfan/wsfan.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/wsfan)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# The prefix is found from where the file lies, so that an installed tree can be moved.
set(pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH pc_prefix /prefix/${pc_dir} /prefix)
configure_file(pkgconfig/wsfan.pc.in wsfan.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/wsfan.pc DESTINATION ${pc_dir})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/wsfan)
configure_package_config_file(pkgconfig/wsfanConfig.cmake.in wsfanConfig.cmake
    INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(wsfanConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/wsfanConfig.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/wsfanConfigVersion.cmake DESTINATION ${package_dir})
if(WSFAN_BEACON)
    install(TARGETS ${beacon_libraries} EXPORT wsfanBeaconTargets COMPONENT beacon)
    install(FILES include/wsfan/beacon.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/wsfan
        COMPONENT beacon)
    configure_file(pkgconfig/wsfan-beacon.pc.in wsfan-beacon.pc @ONLY)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/wsfan-beacon.pc DESTINATION ${pc_dir}
        COMPONENT beacon)
    install(EXPORT wsfanBeaconTargets NAMESPACE wsfan:: DESTINATION ${package_dir}
        COMPONENT beacon)
endif()
install(EXPORT wsfanTargets NAMESPACE wsfan:: DESTINATION ${package_dir})
