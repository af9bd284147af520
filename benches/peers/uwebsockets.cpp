// uWebSockets as a measured server, echoing or publishing in its own way; compiled against a checkout that is given to
// `cargo xtask bench --uwebsockets`. It is told what the other measured servers are told: --listen ADDRESS:PORT,
// --deflate no-takeover|takeover, --fan-out, --large.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "App.h"

namespace {

struct Settings {
    std::string host = "127.0.0.1";
    int port = 0;
    bool fan_out = false;
    // Messages of up to 64 MiB.
    bool large = false;
    // One compressor for all connections keeps nothing between messages; one for each keeps all of it.
    uWS::CompressOptions compression = uWS::DISABLED;
};

[[noreturn]] void refuse(const std::string &argument) {
    std::fprintf(stderr, "not understood: %s\n", argument.c_str());
    std::exit(2);
}

Settings read(int count, char **arguments) {
    Settings settings;
    for (int at = 1; at < count; at++) {
        const std::string argument = arguments[at];
        const std::string value = at + 1 < count ? arguments[at + 1] : "";
        if (argument == "--fan-out") {
            settings.fan_out = true;
            continue;
        }
        if (argument == "--large") {
            settings.large = true;
            continue;
        }
        if (argument == "--listen" && value.find(':') != std::string::npos) {
            settings.host = value.substr(0, value.find(':'));
            settings.port = std::atoi(value.substr(value.find(':') + 1).c_str());
        } else if (argument == "--deflate" && value == "no-takeover") {
            settings.compression = uWS::CompressOptions(uWS::SHARED_COMPRESSOR | uWS::SHARED_DECOMPRESSOR);
        } else if (argument == "--deflate" && value == "takeover") {
            settings.compression = uWS::CompressOptions(uWS::DEDICATED_COMPRESSOR | uWS::DEDICATED_DECOMPRESSOR);
        } else {
            refuse(argument + " " + value);
        }
        at++;
    }
    return settings;
}

struct Nothing {};

}  // namespace

int main(int count, char **arguments) {
    const Settings settings = read(count, arguments);
    const bool compress = settings.compression != uWS::DISABLED;
    const std::string everybody = "all";
    uWS::App app;

    // The library's own limits, 16 KiB for a message and 64 KiB unsent, are below the largest workload.
    const unsigned int bytes_max = (settings.large ? 64 : 16) * 1024 * 1024;
    uWS::App::WebSocketBehavior<Nothing> ordinary;
    ordinary.compression = settings.compression;
    ordinary.maxPayloadLength = bytes_max;
    ordinary.maxBackpressure = bytes_max;
    ordinary.open = [&](auto *socket) {
        if (settings.fan_out) socket->subscribe(everybody);
    };
    ordinary.message = [&](auto *socket, std::string_view message, uWS::OpCode kind) {
        if (!settings.fan_out) socket->send(message, kind, compress);
    };

    uWS::App::WebSocketBehavior<Nothing> publisher;
    publisher.compression = settings.compression;
    publisher.maxPayloadLength = bytes_max;
    publisher.message = [&](auto *, std::string_view message, uWS::OpCode kind) {
        app.publish(everybody, message, kind, compress);
    };

    if (settings.fan_out) app.ws<Nothing>("/publish", std::move(publisher));
    app.ws<Nothing>("/*", std::move(ordinary));
    app.listen(settings.host, settings.port, [&](us_listen_socket_t *listener) {
        if (listener == nullptr) refuse("--listen " + settings.host + ":" + std::to_string(settings.port));
        const int port = us_socket_local_port(0, reinterpret_cast<us_socket_t *>(listener));
        std::printf("listening on %s:%d\n", settings.host.c_str(), port);
        std::fflush(stdout);
    });
    app.run();
}
