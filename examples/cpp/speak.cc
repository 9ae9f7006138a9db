// Copyright The Kuchipaku authors.
// SPDX-License-Identifier: Apache-2.0

// Makes a character, lets it speak live, and makes a film of the same line.
//
//   speak 127.0.0.1:50050 hello.wav "Hello! ..." film.mp4
#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>

#include "kuchipaku/gateway/v1/gateway_service.grpc.pb.h"

namespace gateway = kuchipaku::gateway::v1;

namespace {

constexpr int kMaxMessageBytes = 8 << 20;
constexpr std::size_t kChunkBytes = 256 << 10;
constexpr int kTryAgain = 75;  // EX_TEMPFAIL of sysexits.h

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void AddKey(grpc::ClientContext& context) {
  if (const char* key = std::getenv("KUCHIPAKU_API_KEY")) {
    context.AddMetadata("authorization", std::string("Bearer ") + key);
  }
}

class Client {
 public:
  explicit Client(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
    arguments.SetServiceConfigJSON(R"({"loadBalancingConfig":[{"round_robin":{}}]})");
    stub_ = gateway::GatewayService::NewStub(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
  }

  grpc::Status CreateCharacter(std::string& name) {
    grpc::ClientContext context;
    AddKey(context);
    gateway::CreateCharacterRequest request;
    request.mutable_prompt()->set_prompt("boy, black hair, green eyes");
    request.mutable_prompt()->set_seed(5);
    auto call = stub_->CreateCharacter(&context, request);
    gateway::CreateCharacterResponse answer;
    while (call->Read(&answer)) {
      if (answer.has_result()) name = answer.result().character().name();
    }
    return call->Finish();
  }

  // A live session. One thread writes while this one reads, as answers come before all audio has gone.
  grpc::Status Speak(const std::string& character, const std::string& audio, const std::string& text,
                     int& frames, std::size_t& bytes) {
    grpc::ClientContext context;
    AddKey(context);
    auto call = stub_->Speak(&context);
    std::thread writer([&] {
      gateway::SpeakRequest request;
      auto* config = request.mutable_config();
      config->set_character(character);
      config->mutable_frame_format()->set_width_px(256);
      config->mutable_frame_format()->set_height_px(256);
      config->mutable_animation()->set_frames_per_second(12);
      call->Write(request);
      request.mutable_utterance()->set_text(text);
      call->Write(request);
      for (std::size_t at = 0; at < audio.size(); at += kChunkBytes) {
        request.mutable_audio()->set_data(audio.substr(at, kChunkBytes));
        call->Write(request);
      }
      call->WritesDone();
    });
    gateway::SpeakResponse answer;
    while (call->Read(&answer)) {
      for (const auto& frame : answer.frames().frames()) {
        ++frames;
        bytes += frame.data().size();
      }
    }
    writer.join();
    return call->Finish();
  }

  grpc::Status RenderVideo(const std::string& character, const std::string& audio,
                           const std::string& text, std::ostream& film) {
    grpc::ClientContext context;
    AddKey(context);
    auto call = stub_->RenderVideo(&context);
    std::thread writer([&] {
      gateway::RenderVideoRequest request;
      request.mutable_config()->set_character(character);
      request.mutable_config()->set_text(text);
      call->Write(request);
      for (std::size_t at = 0; at < audio.size(); at += kChunkBytes) {
        request.mutable_audio()->set_data(audio.substr(at, kChunkBytes));
        call->Write(request);
      }
      call->WritesDone();
    });
    gateway::RenderVideoResponse answer;
    while (call->Read(&answer)) film << answer.chunk().data();
    writer.join();
    return call->Finish();
  }

 private:
  std::unique_ptr<gateway::GatewayService::Stub> stub_;
};

int Failed(const grpc::Status& status) {
  std::cerr << status.error_code() << ": " << status.error_message() << "\n";
  const bool later = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                     status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
  return later ? kTryAgain : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: speak ADDRESS AUDIO TEXT FILM\n";
    return 2;
  }
  const std::string audio = ReadFile(argv[2]);
  const std::string text = argv[3];
  Client client(argv[1]);

  std::string character;
  if (auto status = client.CreateCharacter(character); !status.ok()) return Failed(status);
  int frames = 0;
  std::size_t bytes = 0;
  if (auto status = client.Speak(character, audio, text, frames, bytes); !status.ok()) return Failed(status);
  std::ofstream film(argv[4], std::ios::binary);
  if (auto status = client.RenderVideo(character, audio, text, film); !status.ok()) return Failed(status);
  std::cout << "{\"character\": \"" << character << "\", \"frames\": " << frames << ", \"bytes\": " << bytes
            << "}\n";
  return 0;
}
