# libfuzzer_tests(TARGET...): where clang is, ctest runs libFuzzer on each fuzz_TARGET of this project, two seconds a
# target (see scripts/fuzz.mjs). Elsewhere these tests are counted as skipped. Built once, beside this build, and kept.
function(libfuzzer_tests)
  cmake_path(GET CMAKE_CURRENT_FUNCTION_LIST_DIR PARENT_PATH scripts)
  set(command node ${scripts}/fuzz.mjs ${CMAKE_SOURCE_DIR})
  add_test(NAME libfuzzer_build COMMAND ${command} --build)
  set_tests_properties(libfuzzer_build PROPERTIES FIXTURES_SETUP libfuzzer TIMEOUT 900)
  set(tests libfuzzer_build)
  foreach(name ${ARGN})
    add_test(NAME libfuzzer_${name} COMMAND ${command} --run ${name})
    set_tests_properties(libfuzzer_${name} PROPERTIES FIXTURES_REQUIRED libfuzzer TIMEOUT 300)
    list(APPEND tests libfuzzer_${name})
  endforeach()
  find_program(CLANGXX NAMES clang++-14 clang++ clang++-15 clang++-16 clang++-17 clang++-18 clang++-19)
  # Some systems have clang without the library.
  if(CLANGXX AND NOT DEFINED CACHE{HAS_LIBFUZZER})
    file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/probe.cpp
      "extern \"C\" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }\n")
    execute_process(
      COMMAND ${CLANGXX} -fsanitize=fuzzer,address probe.cpp -o probe
      WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR} RESULT_VARIABLE result OUTPUT_QUIET ERROR_QUIET)
    if(result EQUAL 0)
      set(HAS_LIBFUZZER ON CACHE INTERNAL "clang links libFuzzer")
    endif()
  endif()
  if(NOT HAS_LIBFUZZER)
    set_tests_properties(${tests} PROPERTIES DISABLED TRUE)
  endif()
endfunction()
