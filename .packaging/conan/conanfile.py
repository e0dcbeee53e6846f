# SPDX-License-Identifier: Apache-2.0
"""Conan 2: conan create .packaging/conan --build=missing [-o "griffin/*:tools=True"]"""
import os

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, rmdir
from conan.tools.gnu import PkgConfigDeps


class GriffinConan(ConanFile):
    name = "griffin"
    version = "0.1.0"
    description = "Native inference for Hawk, Griffin and RecurrentGemma"
    license = "Apache-2.0"
    topics = ("inference", "language-model", "recurrent", "griffin", "recurrentgemma")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False], "openmp": [True, False],
               "tools": [True, False]}
    default_options = {"shared": False, "fPIC": True, "openmp": False, "tools": False}
    implements = ["auto_shared_fpic"]

    def export_sources(self):
        top = os.path.join(self.recipe_folder, "..", "..")
        for pattern in ("CMakeLists.txt", "LICENSE", "include/*", "kernels/*", "src/*", "examples/*"):
            copy(self, pattern, top, self.export_sources_folder)

    def layout(self):
        cmake_layout(self)

    def validate(self):
        check_min_cppstd(self, 20)
        if self.settings.os != "Linux" or self.settings.arch not in ("x86_64", "armv8"):
            raise ConanInvalidConfiguration("griffin is for Linux on x86_64 and armv8")

    def build_requirements(self):
        self.tool_requires("cmake/[>=3.25]")
        self.tool_requires("pkgconf/[>=2.0]")

    def requirements(self):
        self.requires("nlohmann_json/[>=3.11 <4]")
        self.requires("pcre2/[>=10.42 <11]")
        self.requires("sentencepiece/[>=0.1.97 <1]")  # ConanCenter has none: of a remote of one's own
        self.requires("utf8proc/[>=2.8 <3]")
        self.requires("xxhash/[>=0.8 <1]")
        if self.options.tools:
            self.requires("cli11/[>=2.3 <3]")

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables.update({
            "GRIFFIN_BUILD_TESTS": False,
            "GRIFFIN_BUILD_BENCH": False,
            "GRIFFIN_BUILD_EXAMPLES": bool(self.options.tools),
            "GRIFFIN_INSTALL": True,
            "GRIFFIN_PACKAGES": False,
            "GRIFFIN_OPENMP": bool(self.options.openmp),
        })
        toolchain.generate()
        CMakeDeps(self).generate()
        PkgConfigDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()
        for folder in ("cmake", "pkgconfig"):  # CMakeDeps and PkgConfigDeps write their own
            rmdir(self, os.path.join(self.package_folder, "lib", folder))
        rmdir(self, os.path.join(self.package_folder, "share", "doc"))

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "griffin")
        # Lowest first; a shared library has the kernels inside, and what inline functions ask for beside it.
        kernels = self.cpp_info.components["kernels"]
        kernels.libs = ["griffin_kernels"]
        layers = self.cpp_info.components["layers"]
        layers.libs = ["griffin_layers"]
        layers.requires = ["kernels", "xxhash::xxhash"]
        layers.system_libs = ["pthread"]
        if self.options.openmp:
            layers.sharedlinkflags = layers.exelinkflags = ["-fopenmp"]
        engine = self.cpp_info.components["engine"]
        engine.libs = ["griffin_engine"]
        engine.requires = ["layers", "nlohmann_json::nlohmann_json"]
        griffin = self.cpp_info.components["griffin"]
        griffin.libs = ["griffin"]
        griffin.requires = ["engine", "sentencepiece::sentencepiece", "pcre2::pcre2-8",
                            "utf8proc::utf8proc"]
        if self.options.tools:
            griffin.requires.append("cli11::cli11")
        griffin.set_property("pkg_config_name", "griffin")
        # A shared library, whatever the others are; who is linked with it sees no C++.
        c = self.cpp_info.components["c"]
        c.libs = ["griffin_c"]
        c.set_property("pkg_config_name", "griffin_c")
        for name in ("kernels", "layers", "engine", "griffin", "c"):
            self.cpp_info.components[name].set_property("cmake_target_name", f"griffin::{name}")
