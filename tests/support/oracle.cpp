// SPDX-License-Identifier: Apache-2.0
#include "support/oracle.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "griffin/core/error.h"
#include "models/checkpoint.h"

namespace griffin::test {
namespace {

double widen(const std::string& dtype, const std::byte* from) {
  if (dtype == "F32") {
    float value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  std::uint16_t bits;
  std::memcpy(&bits, from, sizeof bits);
  if (dtype == "BF16") {
    return static_cast<double>(std::bit_cast<float>(std::uint32_t{bits} << 16));
  }
  if (dtype != "F16") throw Error(ErrorCode::unsupported, "the oracle does not read " + dtype);
  return static_cast<double>(
      Eigen::half_impl::half_to_float(Eigen::half_impl::raw_uint16_to_half(bits)));
}

// Round to nearest, ties to even, at 8 significant bits.
double round_to_bf16(double value) {
  int exponent;
  const double mantissa = std::frexp(value, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(mantissa, 8)), exponent - 8);
}

double sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

double softplus(double x) {
  return x > 0.0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}

double gelu_tanh(double x) {
  return 0.5 * x *
         (1.0 + std::tanh(std::sqrt(2.0 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

double gelu_erf(double x) {
  return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)));
}

double silu(double x) {
  return x * sigmoid(x);
}

double relu(double x) {
  return x > 0.0 ? x : 0.0;
}

}  // namespace

Oracle::Oracle(const std::filesystem::path& folder) {
  const Checkpoint checkpoint(folder, FileAccess::read);
  config_ = checkpoint.config().model;
  for (const SafetensorsFile& file : checkpoint.files()) {
    for (const auto& [name, stored] : file.tensors()) {
      Tensor& to = tensors_[name];
      to.shape.assign(stored.shape.begin(), stored.shape.end());
      const std::size_t size = stored.dtype == "F32" ? 4 : 2;
      for (std::size_t at = 0; at < stored.data.size(); at += size) {
        to.values.push_back(widen(stored.dtype, stored.data.data() + at));
      }
    }
  }
}

const Oracle::Tensor& Oracle::tensor(const std::string& name) const {
  return tensors_.at(name);
}

Oracle::Vector Oracle::vector(const std::string& name) const {
  const Tensor& t = tensor(name);
  return {t.values.data(), static_cast<Eigen::Index>(t.values.size())};
}

Oracle::Matrix Oracle::matrix(const std::string& name) const {
  const Tensor& t = tensor(name);
  return {t.values.data(), t.shape.at(0), t.shape.at(1)};
}

Rows Oracle::final_norm(std::span<const std::int32_t> tokens, Dtype kv) const {
  Rows x = embed(tokens);
  for (std::int64_t layer = 0; layer < config_.depth; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    const Rows z = rms_norm(x, prefix + "temporal_pre_norm.weight");
    x += config_.pattern[layer].kind == LayerKind::attention
             ? attention_block(z, prefix + "temporal_block.", kv, config_.window_of(layer))
             : recurrent_block(z, prefix + "temporal_block.");
    x += mlp(rms_norm(x, prefix + "channel_pre_norm.weight"), prefix + "mlp_block.");
  }
  return rms_norm(x, "model.final_norm.weight");
}

Rows Oracle::logits(std::span<const std::int32_t> tokens, Dtype kv) const {
  const bool own_head = tensors_.count("lm_head.weight") != 0;
  const Rows out = final_norm(tokens, kv) *
                   matrix(own_head ? "lm_head.weight" : "model.embed_tokens.weight").transpose();
  if (config_.soft_cap == 0.0F) return out;
  const double cap = config_.soft_cap;
  return out.unaryExpr([cap](double v) { return cap * std::tanh(v / cap); });
}

Rows Oracle::embed(std::span<const std::int32_t> tokens) const {
  const Matrix table = matrix("model.embed_tokens.weight");
  const double scale =
      config_.scale_embedding ? round_to_bf16(std::sqrt(static_cast<double>(config_.width))) : 1.0;
  Rows x(static_cast<Eigen::Index>(tokens.size()), table.cols());
  for (Eigen::Index t = 0; t < x.rows(); ++t) {
    x.row(t) = scale * table.row(tokens[static_cast<std::size_t>(t)]);
  }
  return x;
}

Rows Oracle::rms_norm(const Rows& x, const std::string& name) const {
  Rows y = x;
  for (Eigen::Index t = 0; t < x.rows(); ++t) {
    y.row(t) /= std::sqrt(x.row(t).array().square().mean() + static_cast<double>(config_.rms_eps));
    y.row(t).array() *= 1.0 + vector(name).array();
  }
  return y;
}

Rows Oracle::linear(const Rows& x, const std::string& name) const {
  Rows y = x * matrix(name + ".weight").transpose();
  if (tensors_.count(name + ".bias") != 0) y.rowwise() += vector(name + ".bias");
  return y;
}

Rows Oracle::activated(const Rows& x) const {
  switch (config_.activation) {
    case Activation::gelu_tanh:
      return x.unaryExpr(&gelu_tanh);
    case Activation::gelu_erf:
      return x.unaryExpr(&gelu_erf);
    case Activation::silu:
      return x.unaryExpr(&silu);
    case Activation::relu:
      return x.unaryExpr(&relu);
  }
  throw Error(ErrorCode::unsupported, "the oracle does not know the activation");
}

Rows Oracle::mlp(const Rows& z, const std::string& prefix) const {
  const Rows gated = activated(linear(z, prefix + "gate_proj"));
  return linear(gated.cwiseProduct(linear(z, prefix + "up_proj")), prefix + "down_proj");
}

Rows Oracle::recurrent_block(const Rows& z, const std::string& prefix) const {
  const Rows y = activated(linear(z, prefix + "linear_y"));
  const Rows v = convolve(linear(z, prefix + "linear_x"), prefix + "conv_1d.");
  return linear(rg_lru(v, prefix + "rg_lru.").cwiseProduct(y), prefix + "linear_out");
}

// The stored weight is [width, 1, taps].
Rows Oracle::convolve(const Rows& u, const std::string& prefix) const {
  const Tensor& weight = tensor(prefix + "weight");
  const Eigen::Index taps = weight.shape.at(2);
  Rows v = vector(prefix + "bias").replicate(u.rows(), 1);
  for (Eigen::Index t = 0; t < u.rows(); ++t) {
    for (Eigen::Index k = 0; k < taps; ++k) {
      const Eigen::Index from = t - (taps - 1) + k;
      if (from < 0) continue;
      for (Eigen::Index c = 0; c < u.cols(); ++c) {
        v(t, c) += weight.values[static_cast<std::size_t>(c * taps + k)] * u(from, c);
      }
    }
  }
  return v;
}

// sigmoid(v G + b), G [block, in, out].
Rows Oracle::gate(const Rows& v, const std::string& name) const {
  const Tensor& weight = tensor(name + "_weight");
  const Eigen::Index width = weight.shape.at(1);
  Rows out(v.rows(), v.cols());
  for (Eigen::Index block = 0; block < weight.shape.at(0); ++block) {
    const Matrix g(weight.values.data() + block * width * width, width, width);
    out.middleCols(block * width, width) = v.middleCols(block * width, width) * g;
  }
  out.rowwise() += vector(name + "_bias");
  return out.unaryExpr(&sigmoid);
}

Rows Oracle::rg_lru(const Rows& v, const std::string& prefix) const {
  const Rows i = gate(v, prefix + "input_gate");
  const Rows r = gate(v, prefix + "recurrent_gate");
  const Vector parameter = vector(prefix + "recurrent_param");
  Rows h(v.rows(), v.cols());
  for (Eigen::Index c = 0; c < v.cols(); ++c) {
    h(0, c) = i(0, c) * v(0, c);
    for (Eigen::Index t = 1; t < v.rows(); ++t) {
      const double log_a = -8.0 * r(t, c) * softplus(parameter(c));
      h(t, c) =
          std::exp(log_a) * h(t - 1, c) + std::sqrt(-std::expm1(2.0 * log_a)) * (i(t, c) * v(t, c));
    }
  }
  return h;
}

Rows Oracle::attention_block(const Rows& z, const std::string& prefix, Dtype kv,
                             std::int64_t window) const {
  const Eigen::Index dim = config_.head_dim;
  Rows q = linear(z, prefix + "q_proj");
  Rows k = linear(z, prefix + "k_proj");
  Rows v = linear(z, prefix + "v_proj");
  Rows mixed = Rows::Zero(q.rows(), q.cols());
  for (Eigen::Index t = 0; t < z.rows(); ++t) {
    for (Eigen::Index m = 0; m < config_.kv_heads; ++m) rotate(k.row(t).segment(m * dim, dim), t);
    if (kv == Dtype::bf16) {
      k.row(t) = k.row(t).unaryExpr(&round_to_bf16);
      v.row(t) = v.row(t).unaryExpr(&round_to_bf16);
    }
    // A token sees itself and `window` earlier ones.
    const Eigen::Index seen = static_cast<Eigen::Index>(std::min<std::int64_t>(t, window)) + 1;
    for (Eigen::Index n = 0; n < config_.heads; ++n) {
      rotate(q.row(t).segment(n * dim, dim), t);
      const Eigen::Index column = n * config_.kv_heads / config_.heads * dim;
      Eigen::VectorXd weight =
          k.block(t + 1 - seen, column, seen, dim) * q.row(t).segment(n * dim, dim).transpose();
      weight = ((weight.array() - weight.maxCoeff()) / std::sqrt(static_cast<double>(dim))).exp();
      mixed.row(t).segment(n * dim, dim) =
          weight.transpose() / weight.sum() * v.block(t + 1 - seen, column, seen, dim);
    }
  }
  return linear(mixed, prefix + "o_proj");
}

// The reference forms frequency and angle in float32, which matters far from position 0.
void Oracle::rotate(Eigen::Ref<Eigen::RowVectorXd> head, std::int64_t position) const {
  const Eigen::Index pairs = (config_.rotary_dim + 1) / 2;
  for (Eigen::Index j = 0; j < pairs; ++j) {
    const double exponent = 2.0 * static_cast<double>(j) / static_cast<double>(config_.rotary_dim);
    const auto frequency =
        static_cast<float>(std::pow(static_cast<double>(config_.rope_theta), -exponent));
    const double angle = static_cast<double>(static_cast<float>(position) * frequency);
    const double first = head(j);
    const double second = head(j + pairs);
    head(j) = first * std::cos(angle) - second * std::sin(angle);
    head(j + pairs) = second * std::cos(angle) + first * std::sin(angle);
  }
}

}  // namespace griffin::test
