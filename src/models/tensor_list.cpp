// SPDX-License-Identifier: Apache-2.0
#include "models/tensor_list.h"

#include <functional>
#include <numeric>

namespace griffin {

std::int64_t TensorList::numbers() const noexcept {
  std::int64_t sum = 0;
  for (const ModelTensor& tensor : tensors_) {
    sum += std::accumulate(tensor.shape.begin(), tensor.shape.end(), std::int64_t{1},
                           std::multiplies<>{});
  }
  return sum;
}

}  // namespace griffin
