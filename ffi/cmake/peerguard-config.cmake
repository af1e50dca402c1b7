# Targets: peerguard::peerguard (shared) and peerguard::static.
get_filename_component(_peerguard_lib "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
get_filename_component(_peerguard_prefix "${_peerguard_lib}/.." ABSOLUTE)
find_path(_peerguard_include peerguard.h PATHS "${_peerguard_prefix}/include" NO_DEFAULT_PATH NO_CACHE REQUIRED)
set(THREADS_PREFER_PTHREAD_FLAG ON)
include(CMakeFindDependencyMacro)
find_dependency(Threads)

if(NOT TARGET peerguard::peerguard)
  add_library(peerguard::peerguard SHARED IMPORTED)
  set_target_properties(peerguard::peerguard PROPERTIES
    IMPORTED_LOCATION "${_peerguard_lib}/libpeerguard.so"
    INTERFACE_INCLUDE_DIRECTORIES "${_peerguard_include}")
  add_library(peerguard::static STATIC IMPORTED)
  set_target_properties(peerguard::static PROPERTIES
    IMPORTED_LOCATION "${_peerguard_lib}/libpeerguard.a"
    INTERFACE_INCLUDE_DIRECTORIES "${_peerguard_include}"
    INTERFACE_LINK_LIBRARIES "Threads::Threads;${CMAKE_DL_LIBS};m")
endif()

unset(_peerguard_lib)
unset(_peerguard_prefix)
unset(_peerguard_include)
