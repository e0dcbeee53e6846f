// SPDX-License-Identifier: Apache-2.0
// For users and tests that have Eigen: a view as an Eigen map. The library itself does not include
// this header.
#pragma once

#include <Eigen/Core>

#include "griffin/core/view.h"

namespace GRIFFIN_API griffin {

using RowMajorMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// The same memory as a [rows, cols] Eigen map; valid as long as the view is.
inline Eigen::Map<RowMajorMatrix, Eigen::Unaligned, Eigen::OuterStride<>> as_eigen(MatrixView v) {
  return {v.data, v.rows, v.cols, Eigen::OuterStride<>(v.stride)};
}

inline Eigen::Map<const RowMajorMatrix, Eigen::Unaligned, Eigen::OuterStride<>> as_eigen(
    ConstMatrixView v) {
  return {v.data, v.rows, v.cols, Eigen::OuterStride<>(v.stride)};
}

}  // namespace griffin
