# SPDX-License-Identifier: Apache-2.0
# Compiler settings that hold for all of our code.
option(COFFER_TESTS "Build the unit tests" ON)
option(COFFER_FUZZ "Build the fuzz targets (clang)" OFF)
option(COFFER_FAILPOINTS "Build in the places where tests inject faults" OFF)
set(COFFER_SANITIZE "" CACHE STRING "address,undefined or thread")

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

add_compile_options(-Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>
                    $<$<C_COMPILER_ID:GNU>:-Wno-error=maybe-uninitialized> # gcc versions differ in what they cannot see
                    -fno-omit-frame-pointer -fstack-protector-strong)
# Asserts state what we believe of our own code; they stay in a release.
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELWITHDEBINFO "${CMAKE_C_FLAGS_RELWITHDEBINFO}")
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
add_compile_definitions(_GNU_SOURCE H2O_USE_LIBUV=0 COFFER_VERSION="${PROJECT_VERSION}")
# -iquote, not -I: a file of ours must never stand in for a library's header of the same name.
add_compile_options("SHELL:-iquote ${CMAKE_SOURCE_DIR}" "SHELL:-iquote ${CMAKE_SOURCE_DIR}/src")

if(COFFER_FAILPOINTS)
    add_compile_definitions(COFFER_FAILPOINTS)
endif()
if(COFFER_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(COFFER_SANITIZE)
    add_compile_options(-fsanitize=${COFFER_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${COFFER_SANITIZE})
    add_compile_definitions(COFFER_SANITIZED)
else()
    add_compile_options($<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
endif()
add_link_options(-Wl,-z,relro,-z,now)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
