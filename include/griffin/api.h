// SPDX-License-Identifier: Apache-2.0
// Every public header includes this one: what it is compiled as, and what a shared library shows.
#pragma once

#if __cplusplus < 202002L
#error "griffin needs C++20: compile with -std=c++20 or newer (g++ 12, clang 14)"
#endif

/// What a shared library exports: namespaces of public headers for their classes, and, for clang,
/// functions by themselves. Everything else in it is hidden (src/exports.map).
#define GRIFFIN_API [[gnu::visibility("default")]]
/// What it does not, although a public header names it.
#define GRIFFIN_LOCAL [[gnu::visibility("hidden")]]
