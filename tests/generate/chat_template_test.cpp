// SPDX-License-Identifier: Apache-2.0
// Which chat templates are Gemma's.
#include "griffin/generate/chat_template.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "griffin/core/error.h"
#include "griffin/generate/text_generator.h"
#include "support/temp_folder.h"
#include "support/turn_tokenizer.h"

namespace griffin::test {
namespace {

const std::string gemma =
    R"({{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %})";
const std::string chatml =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}";

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
  return text;
}

ChatFormat format(const std::string& text) {
  return recognise_chat_template(text);
}

TEST(ChatTemplate, GemmasInAnySpelling) {
  EXPECT_EQ(format(gemma), ChatFormat::gemma);
  EXPECT_EQ(format(replaced(gemma, "{{ bos_token }}", "")), ChatFormat::gemma);
  EXPECT_EQ(format(replaced(gemma, "'", "\"")), ChatFormat::gemma);
  EXPECT_EQ(format(replaced(gemma, "{% ", "\n  {%- ")), ChatFormat::gemma);
  EXPECT_EQ(format("{# Once upon a time #}" + gemma), ChatFormat::gemma);
  EXPECT_EQ(format("{% for m in messages %}<start_of_turn>{{ m.role }}\n{{ m.content }}"
                   "<end_of_turn>\n{% endfor %}<start_of_turn>model\n"),
            ChatFormat::gemma);
}

TEST(ChatTemplate, OthersAreOfAnotherKind) {
  EXPECT_EQ(format(""), ChatFormat::other);
  EXPECT_EQ(format(chatml), ChatFormat::other);
  EXPECT_EQ(format(gemma + chatml), ChatFormat::other);
  EXPECT_EQ(format("You are helpful.\n" + gemma), ChatFormat::other);
  EXPECT_EQ(format("{{ 'Answer briefly.' }}" + gemma), ChatFormat::other);
  EXPECT_EQ(format(replaced(gemma, "<start_of_turn>model", "<start_of_turn>assistant")),
            ChatFormat::other);
  EXPECT_EQ(format(replaced(gemma, "<end_of_turn>\\n", "<end_of_turn>")), ChatFormat::other);
  EXPECT_EQ(format(replaced(gemma, "start_of_turn", "start_of_speech")), ChatFormat::other);
  EXPECT_EQ(format(replaced(gemma, "'<start_of_turn>' +", "'[INST]<start_of_turn>' +")),
            ChatFormat::other);
}

TEST(ChatTemplate, IsLookedForWhereTransformersDoes) {
  const TempFolder folder;
  const auto found = [&] { return find_chat_template(folder.path()); };
  EXPECT_EQ(found().format, ChatFormat::unknown);
  folder.write("tokenizer_config.json", R"({"add_bos_token": true})");
  EXPECT_EQ(found().format, ChatFormat::none);
  const nlohmann::json named = {{{"name", "tool_use"}, {"template", chatml}},
                                {{"name", "default"}, {"template", gemma}}};
  folder.write("tokenizer_config.json", nlohmann::json{{"chat_template", named}}.dump());
  EXPECT_EQ(found().format, ChatFormat::gemma);
  folder.write("tokenizer_config.json", nlohmann::json{{"chat_template", gemma}}.dump());
  EXPECT_EQ(found().format, ChatFormat::gemma);
  folder.write("chat_template.json", nlohmann::json{{"chat_template", chatml}}.dump());
  EXPECT_EQ(found().format, ChatFormat::other);
  EXPECT_EQ(found().file, (folder.path() / "chat_template.json").string());
  folder.write("chat_template.jinja", gemma);
  EXPECT_EQ(found().format, ChatFormat::gemma);
  std::filesystem::remove(folder.path() / "chat_template.jinja");
  folder.write("chat_template.json", R"({"chat_template": 5})");
  EXPECT_THROW(found(), Error);
}

TEST(ChatTemplate, ReplyHeedsIt) {
  const TempFolder folder;
  const auto embedded = std::filesystem::path(GRIFFIN_SOURCE_DIR) / "examples/models/griffin";
  for (const char* file : {"config.json", "model.safetensors"}) {
    std::filesystem::create_symlink(embedded / file, folder.path() / file);
  }
  folder.write("tokenizer.model", turn_tokenizer());
  folder.write("chat_template.jinja", chatml);
  TextGenerator model(folder.path(), {.text = {.max_new_tokens = 2}});
  EXPECT_EQ(model.generate("Who?").tokens.size(), 2U);
  try {
    model.reply("Who?");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
  }
  TextGenerator forced(folder.path(),
                       {.text = {.max_new_tokens = 2}, .ignore_chat_template = true});
  EXPECT_NO_THROW(forced.reply("Who?"));
}

}  // namespace
}  // namespace griffin::test
