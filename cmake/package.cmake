# SPDX-License-Identifier: Apache-2.0
# A Debian package: cmake --build --preset release && cpack --config build/release/CPackConfig.cmake
install(TARGETS coffer RUNTIME DESTINATION bin)
install(FILES deploy/coffer.service DESTINATION lib/systemd/system)
install(FILES deploy/coffer.hcl.example DESTINATION share/doc/coffer RENAME coffer.hcl)
install(FILES README.md docs/deploying.md docs/metrics.md DESTINATION share/doc/coffer)
install(FILES LICENSE DESTINATION share/doc/coffer RENAME copyright)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME coffer)
set(CPACK_PACKAGE_CONTACT "The Coffer authors <coffer@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "highly available secrets server that speaks Vault's API")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR})
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# What is linked is found out; librnp is loaded by its name (src/base/pgp_library.h).
set(CPACK_DEBIAN_PACKAGE_DEPENDS "ca-certificates, passwd, librnp0")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS systemd)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/deploy/debian/postinst
    ${CMAKE_SOURCE_DIR}/deploy/debian/prerm ${CMAKE_SOURCE_DIR}/deploy/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
