# frozen_string_literal: true

# Says what happens in a program; a statsidecar agent makes metrics of it. One file, Ruby 2.7, standard library only.
#
#     require "statsidecar"
#
#     Statsidecar.publish_event("order.created", currency: "CHF", amount: 59.90)
#
#     Statsidecar.time_step(task_id: 17, step_id: 3, step_name: "fetch", attempt_number: 1) do |timing|
#       timing[:step_results] = fetch           # step.completed with its duration, or step.failed with the exception
#     end
#
#     class Importer
#       include Statsidecar::EventPublisher     # publish_step_started and all the others as methods
#     end
#
#     Statsidecar.forward_notifications         # every event of ActiveSupport::Notifications
#     Statsidecar.forward_bus(bus)              # every event of a dry-events bus
#
# Nothing here waits: what the kernel does not take at once is dropped and counted. Nothing here raises, but with
# strict: true. One publisher serves all threads; a fork may go on with it. The agent may come and go.

require "json"
require "socket"

module Statsidecar
  DEFAULT_PIPE = "fifo:///run/statsidecar/events"
  DEFAULT_PORT = "udp://127.0.0.1:8127"

  PIPE_LINE_MAX = 4096 # PIPE_BUF: a write of that much goes out whole or not at all
  DATAGRAM_LINE_MAX = 8192
  TEXT_KEPT = 64 # no text is cut below this: names and ids stay what they are
  BACKTRACE_MAX = 50
  DEPTH_MAX = 100 # the agent takes 128

  RETRY_SECONDS = 0.02 # how often to look for an agent that is away
  CHECK_SECONDS = 1.0 # how often to look whether the descriptor is still ours, and the pipe the one at the path

  IDENTIFIER = %r{\A[A-Za-z][A-Za-z0-9_.:/-]{0,199}\z}.freeze
  DATES = %w[timestamp event_timestamp transitioned_at time].freeze

  RESULTS = {
    sent: "sent",
    full: "the pipe or socket is full",
    away: "nobody reads there",
    too_long: "the event is too long",
    invalid: "no identifier: 1 to 200 bytes of A-Za-z0-9_.:/- that begin with a letter",
    no_pipe: "what stands at the path is no pipe",
    failed: "the system refused it",
    bad_url: "write fifo:///PATH, udp://ADDRESS:PORT, unix:///PATH or unix://@NAME",
    bad_host: "write an address or localhost: host names are not looked up",
    stream: "tcp:// and unixstream:// would have to wait; write fifo:///PATH, udp://ADDRESS:PORT or unix:///PATH"
  }.freeze

  # What a strict publisher raises; reason is a key of RESULTS.
  class NotSent < StandardError
    attr_reader :reason

    def initialize(reason, detail = nil)
      @reason = reason
      super(detail ? "#{RESULTS.fetch(reason)} (#{detail})" : RESULTS.fetch(reason))
    end
  end

  # A value that no cutting of its texts makes fit.
  class TooLong < StandardError
  end

  # ---- values -> JSON ----

  # A value as JSON, and where in it texts stand that may be cut.
  class Value
    ESCAPED = /["\\\u0000-\u001f]/.freeze

    attr_reader :bytes, :ends

    def self.quote(text)
      text = valid(text)
      text.match?(ESCAPED) ? JSON.generate(text) : %("#{text}")
    end

    def self.valid(text)
      text = text.dup.force_encoding(Encoding::UTF_8) if text.encoding == Encoding::BINARY
      text = text.encode(Encoding::UTF_8, invalid: :replace, undef: :replace) if text.encoding != Encoding::UTF_8
      text.valid_encoding? ? text : text.scrub("\uFFFD")
    end

    # breaks_off: what is too long in any case ends somewhere beyond limit, and is to be emptied or cut.
    def initialize(value, limit, text_kept = TEXT_KEPT, breaks_off: false)
      @bytes = String.new(encoding: Encoding::UTF_8)
      @texts = [] # [offset, length] of what stands between quotes
      @ends = [] # behind each element of the outermost array
      @limit = limit
      @text_kept = text_kept
      @uncuttable = 0
      put(value, 0)
    rescue TooLong
      raise unless breaks_off
    end

    # An empty one of its kind: the field is still there.
    def empty
      @bytes = { "{" => +"{}", "[" => +"[]", '"' => +'""' }.fetch(@bytes[0], +"null")
      @texts = []
      @ends = []
    end

    # An array's first elements alone.
    def keep(count)
      last = length_of(count)
      @bytes = @bytes.byteslice(0, last) << "]"
      @ends = @ends.first(count)
      @texts = @texts.select { |at, _| at < last }
    end

    # Where its first elements end.
    def length_of(count)
      count.zero? ? 1 : @ends[count - 1]
    end

    def cut_length(cap)
      @bytes.bytesize - @texts.sum { |at, length| length - cut_at(at, length, cap) }
    end

    def cut(cap)
      shortened = String.new(encoding: Encoding::UTF_8)
      copied = 0
      @texts.each do |at, length|
        shortened << @bytes.byteslice(copied, at + cut_at(at, length, cap) - copied)
        copied = at + length
      end
      @bytes = shortened << @bytes.byteslice(copied, @bytes.bytesize - copied)
    end

    private

    def put_literal(text)
      @bytes << text
      take(text.bytesize)
    end

    def put_text(text)
      # More than the line has room for is cut off in any case.
      text = text.byteslice(0, @limit) if text.bytesize > @limit
      quoted = Value.quote(text)
      length = quoted.bytesize - 2
      @texts << [@bytes.bytesize + 1, length] if length > @text_kept
      @bytes << quoted
      take(length > @text_kept ? @text_kept : length + 2)
    end

    def take(count)
      @uncuttable += count
      raise TooLong, "too long", [] if @uncuttable > @limit # without a backtrace it costs nothing
    end

    def put(value, depth)
      return put_literal("null") if depth > DEPTH_MAX

      case value
      when String then put_text(value)
      when Symbol then put_text(value.to_s)
      when Integer then put_literal(value.to_s)
      when nil then put_literal("null")
      when true, false then put_literal(value.to_s)
      when Float then put_literal(value.finite? ? value.to_s : "null")
      when Hash then put_object(value, depth)
      when Array then put_array(value, depth)
      when Time then put_literal(%("#{Statsidecar.format_time(value)}"))
      else put(simplify(value), depth + 1)
      end
    end

    def put_array(value, depth)
      put_literal("[")
      value.each_with_index do |element, number|
        put_literal(",") if number.positive?
        put(element, depth + 1)
        @ends << @bytes.bytesize if depth.zero?
      end
      put_literal("]")
    end

    def put_object(value, depth)
      separator = "{"
      value.each do |key, element|
        put_literal("#{separator}#{Value.quote(key.to_s)}:")
        put(element, depth + 1)
        separator = ","
      end
      put_literal(separator == "{" ? "{}" : "}")
    end

    # What JSON has no word for, in words that it has. A value's own code may fail in any way.
    def simplify(value)
      return value.getutc if value.respond_to?(:getutc) # ActiveSupport::TimeWithZone
      return value.to_time if value.respond_to?(:new_offset) # DateTime
      return value.message.to_s if value.is_a?(Exception)
      return value.finite? ? value.to_f : nil if value.is_a?(Numeric) && value.real? && value.respond_to?(:to_f)
      return value.to_hash if value.respond_to?(:to_hash)
      return value.to_h if value.is_a?(Struct)
      return value.to_a if value.respond_to?(:to_ary) || (defined?(Set) && value.is_a?(Set))

      value.to_s.to_str
    rescue StandardError
      value.class.to_s
    end

    # How much of the quoted text is at most cap bytes and ends neither within a character nor within an escape.
    def cut_at(at, length, cap)
      return length if length <= cap

      last = at + cap
      last -= 1 while @bytes.getbyte(last) & 0xC0 == 0x80
      escape = ([at, last - 5].max...last).find do |place|
        @bytes.getbyte(place) == 0x5C && escape?(at, place) &&
          place + (@bytes.getbyte(place + 1) == 0x75 ? 6 : 2) > last
      end
      (escape || last) - at
    end

    # Whether the backslash begins an escape: an even number of them stands before it.
    def escape?(start, place)
      before = place
      before -= 1 while before > start && @bytes.getbyte(before - 1) == 0x5C
      (place - before).even?
    end
  end

  # ---- events -> lines ----

  # An event that is longer than the line may be: step_results, step_inputs and backtrace are emptied, in this order,
  # then texts cut, the longest first.
  class Draft
    EMPTIED = %w[step_results step_inputs backtrace].freeze

    def initialize(payload, limit)
      @limit = limit
      @values = payload.to_h { |key, value| [key, make(key, value)] }
    end

    def shorten
      %w[step_results step_inputs].each { |key| @values[key].empty if @values.key?(key) && length > @limit }
      shorten_backtrace(@values["backtrace"]) if @values.key?("backtrace") && length > @limit
      cut_texts if length > @limit
      self
    end

    def length
      fixed + @values.sum { |_, value| value.bytes.bytesize }
    end

    def line
      "{#{@values.map { |key, value| "#{Value.quote(key)}:#{value.bytes}" }.join(',')}}\n"
    end

    private

    def make(key, value)
      Value.new(value, @limit, breaks_off: EMPTIED.include?(key))
    end

    # The bytes that are no values.
    def fixed
      2 + @values.sum { |key, _| Value.quote(key).bytesize + 2 }
    end

    def shorten_backtrace(value)
      return value.empty if value.ends.empty?

      others = length - value.bytes.bytesize
      value.keep(largest(0, value.ends.length) { |count| others + value.length_of(count) + 1 <= @limit })
    end

    def cut_texts
      room = @limit - fixed
      fits = ->(cap) { @values.sum { |_, value| value.cut_length(cap) } <= room }
      raise TooLong unless fits.call(TEXT_KEPT)

      cap = largest(TEXT_KEPT, @limit, &fits)
      @values.each_value { |value| value.cut(cap) }
    end

    # The largest number in low .. high that fits, where low does.
    def largest(low, high)
      while low < high
        middle = (low + high + 1) / 2
        yield(middle) ? low = middle : high = middle - 1
      end
      low
    end
  end

  # ---- where lines go: each opens a descriptor and writes to it; SystemCallError says why not ----

  class NoPipe < StandardError
  end

  # A named pipe.
  class Pipe
    FLAGS = File::WRONLY | File::NONBLOCK | File::NOCTTY

    def initialize(path)
      @path = path
    end

    def line_max
      PIPE_LINE_MAX
    end

    def open
      # Looked at before it is opened, too: to open a device can have effects.
      raise NoPipe unless File.stat(@path).pipe?

      io = File.open(@path, FLAGS)
      raise NoPipe unless io.stat.pipe?

      @is_sigpipe_deadly = sigpipe_deadly?
      io
    end

    # Now and then: whether another pipe stands at the path than the one that is open.
    def replaced?(identity)
      @is_sigpipe_deadly = sigpipe_deadly?
      status = File.stat(@path)
      status.pipe? && [status.dev, status.ino] != identity
    rescue SystemCallError
      false
    end

    def write(io, line)
      return write_guarded(io, line) if @is_sigpipe_deadly

      io.write_nonblock(line, exception: false) == :wait_writable ? :full : :sent
    end

    # A pipe that nobody reads may have been replaced by one that is read.
    def reopened_when?(result)
      %i[away failed].include?(result)
    end

    private

    # A program that wants to die of SIGPIPE does not mean this pipe's. Ruby itself catches the signal.
    def sigpipe_deadly?
      status = File.read("/proc/self/status")
      %w[SigIgn SigCgt].all? { |mask| status[/^#{mask}:\s*(\h+)/, 1].to_s.hex[Signal.list["PIPE"] - 1].zero? }
    rescue SystemCallError
      false
    end

    def write_guarded(io, line)
      before = trap("PIPE", "IGNORE")
      begin
        io.write_nonblock(line, exception: false) == :wait_writable ? :full : :sent
      ensure
        trap("PIPE", before || "SYSTEM_DEFAULT")
      end
    end
  end

  # A UDP port. Connected, so that the kernel reports a port that nobody reads.
  class Udp
    FLAGS = Socket::MSG_DONTWAIT | (defined?(Socket::MSG_NOSIGNAL) ? Socket::MSG_NOSIGNAL : 0)

    def initialize(family, host, port)
      @family = family
      @address = Socket.pack_sockaddr_in(port, host)
    end

    def line_max
      DATAGRAM_LINE_MAX
    end

    def open
      socket = Socket.new(@family, Socket::SOCK_DGRAM)
      socket.connect(@address)
      socket
    end

    def replaced?(_identity)
      false
    end

    def write(socket, line)
      result = send(socket, line)
      # On this machine the answer is there already.
      error = socket.getsockopt(Socket::SOL_SOCKET, Socket::SO_ERROR).int
      error.zero? ? result : Statsidecar.result_of(SystemCallError.new(nil, error))
    end

    def reopened_when?(result)
      result == :failed
    end

    private

    def send(socket, line)
      attempts ||= 0
      socket.sendmsg_nonblock(line, FLAGS, exception: false) == :wait_writable ? :full : :sent
    rescue Errno::ECONNREFUSED
      # That is about an earlier datagram; this one has not been sent.
      (attempts += 1) == 1 ? retry : raise
    end
  end

  # A Unix datagram socket. Not connected: an address at each datagram finds the agent that is there now.
  class Unix
    def initialize(address)
      @address = address
    end

    def line_max
      DATAGRAM_LINE_MAX
    end

    def open
      Socket.new(Socket::AF_UNIX, Socket::SOCK_DGRAM)
    end

    def replaced?(_identity)
      false
    end

    def write(socket, line)
      socket.sendmsg_nonblock(line, Udp::FLAGS, @address, exception: false) == :wait_writable ? :full : :sent
    end

    def reopened_when?(result)
      result == :failed
    end
  end

  # What stands behind a publisher whose URL is none, or that is closed.
  class Nowhere
    def initialize(reason)
      @reason = reason
    end

    def line_max
      DATAGRAM_LINE_MAX
    end

    def deliver(_line)
      @reason
    end

    def after_fork; end

    def close; end
  end

  # ---- URLs ----

  module Url
    PORT = /\A(?::([0-9]{1,5}))?\z/.freeze

    module_function

    def parse(url)
      scheme, rest = url.match(%r{\A(fifo|udp|unix|tcp|unixstream)://(.*)\z}m)&.captures
      case scheme
      when "fifo" then parse_fifo(rest)
      when "udp" then parse_udp(rest)
      when "unix" then parse_unix(rest)
      when nil then raise NotSent, :bad_url
      else raise NotSent, :stream
      end
    end

    def parse_fifo(rest)
      raise NotSent, :bad_url if rest.length < 2 || rest[0] != "/" || rest.include?("\0")

      Pipe.new(rest)
    end

    def parse_unix(rest)
      is_good = rest.bytesize.between?(2, 107) && rest.start_with?("/", "@") && !rest.include?("\0")
      raise NotSent, :bad_url unless is_good
      return Unix.new(Socket.pack_sockaddr_un(rest)) if rest[0] == "/"

      # Not pack_sockaddr_un: the name's length says where it ends.
      Unix.new([Socket::AF_UNIX].pack("S") << "\0" << rest[1..-1].b)
    end

    def parse_udp(rest)
      is_v6 = rest[0] == "["
      host, port = rest.match(is_v6 ? /\A\[([\h:.]+)\](.*)\z/m : /\A([^:]+)(.*)\z/m)&.captures
      raise NotSent, :bad_url if host.nil? || !PORT.match?(port)

      port = port.empty? ? 8127 : port[1..-1].to_i
      raise NotSent, :bad_url unless port.between?(1, 65_535)

      host = "127.0.0.1" if host.casecmp?("localhost")
      raise NotSent, is_v6 ? :bad_url : :bad_host unless is_v6 ? v6?(host) : v4?(host)

      Udp.new(is_v6 ? Socket::AF_INET6 : Socket::AF_INET, host, port)
    end

    def v4?(host)
      host.match?(/\A[0-9]{1,3}(\.[0-9]{1,3}){3}\z/) && host.split(".").all? { |part| part.to_i <= 255 }
    end

    def v6?(host)
      Addrinfo.udp(host, 0).ipv6?
    rescue SocketError
      false
    end
  end

  REASONS = {
    Errno::EAGAIN::Errno => :full,
    Errno::ENOBUFS::Errno => :full,
    Errno::ENOMEM::Errno => :full,
    Errno::EMSGSIZE::Errno => :too_long,
    Errno::EPIPE::Errno => :away,
    Errno::ECONNREFUSED::Errno => :away,
    Errno::ENOENT::Errno => :away,
    Errno::ENOTDIR::Errno => :away,
    Errno::ENXIO::Errno => :away # a pipe that nobody reads
  }.freeze

  def self.result_of(error)
    error.is_a?(NoPipe) ? :no_pipe : REASONS.fetch(error.errno, :failed)
  end

  # The descriptor behind a publisher. What is opened again is another IO object: a thread that still writes by the old
  # one writes to the old pipe, and the last that lets go of it closes it.
  class Channel
    attr_reader :line_max

    def initialize(target)
      @target = target
      @line_max = target.line_max
      @io = nil
      @identity = nil
      @reason = :away
      @retry_at = 0.0
      @check_at = 0.0
      reopen(now)
    end

    def open?
      !@io.nil?
    end

    # Descriptors may have been closed, too.
    def after_fork
      @check_at = 0.0
    end

    def close
      io = @io
      @io = nil
      io.close if io && ours?(io)
    rescue IOError, SystemCallError
      nil
    end

    # One write, whole or not at all; a key of RESULTS.
    def deliver(line)
      moment = now
      return @reason if moment < @retry_at

      check(moment) if moment >= @check_at
      result = write(line)
      return result unless @target.reopened_when?(result)

      reopen(moment) || write(line)
    end

    private

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    def write(line)
      io = @io
      return :failed if io.nil?

      @target.write(io, line)
    rescue Errno::EBADF, Errno::ENOTSOCK
      forget(io)
    rescue SystemCallError => e
      Statsidecar.result_of(e)
    rescue IOError
      forget(io)
    end

    # Why it cannot be opened, nil where it is.
    def reopen(moment)
      io = @target.open
      status = io.stat
      @identity = [status.dev, status.ino]
      @io = io
      @retry_at = 0.0
      nil
    rescue SystemCallError, NoPipe => e
      @retry_at = moment + RETRY_SECONDS
      @reason = Statsidecar.result_of(e)
    end

    # Now and then: a program that closes all descriptors closes ours, and may get the number for something else.
    def check(moment)
      @check_at = moment + CHECK_SECONDS
      io = @io
      forget(io) if io && !ours?(io)
      return unless @io && @target.replaced?(@identity)

      # Where the new one has no reader yet, the old one stays.
      reopen(moment)
      @retry_at = 0.0
    end

    def ours?(io)
      status = io.stat
      [status.dev, status.ino] == @identity
    rescue IOError, SystemCallError
      false
    end

    # Without closing: the number is somebody else's.
    def forget(io)
      io.autoclose = false unless io.closed?
      @io = nil
      :failed
    end
  end

  # ---- steps and tasks -> standard payload ----

  module Standard
    # Each standard key, and what a step or task may call it, the first that is there.
    STEP = {
      "task_id" => %w[task_id],
      "task_name" => %w[task_name],
      "step_id" => %w[step_id workflow_step_id id],
      "step_name" => %w[step_name name],
      "attempt_number" => %w[attempt_number attempts attempt],
      "retry_limit" => %w[retry_limit max_retries],
      "started_at" => %w[started_at last_attempted_at],
      "completed_at" => %w[completed_at processed_at],
      "source_system" => %w[source_system],
      "priority" => %w[priority],
      "retryable" => %w[retryable]
    }.freeze
    STEP_START = STEP.merge(
      "step_inputs" => %w[step_inputs inputs], "step_dependencies" => %w[step_dependencies dependencies]
    ).freeze
    STEP_END = STEP.merge(
      "execution_duration" => %w[execution_duration duration], "step_results" => %w[step_results results]
    ).freeze
    OF_TASK = { "task_id" => %w[task_id id], "task_name" => %w[task_name name] }.freeze
    OF_WORKFLOW = OF_TASK.merge("source_system" => %w[source_system], "priority" => %w[priority]).freeze
    TASK = OF_WORKFLOW.merge(
      "task_type" => %w[task_type],
      "started_at" => %w[started_at],
      "completed_at" => %w[completed_at],
      "total_steps" => %w[total_steps],
      "completed_steps" => %w[completed_steps],
      "failed_steps" => %w[failed_steps],
      "pending_steps" => %w[pending_steps],
      "current_execution_duration" => %w[current_execution_duration]
    ).freeze
    TASK_END = TASK.reject { |key, _| key == "current_execution_duration" }.merge(
      "total_execution_duration" => %w[total_execution_duration total_duration execution_duration duration]
    ).freeze

    EVENT_TYPES = {
      "initialize_requested" => "initialize",
      "start_requested" => "started",
      "execution_requested" => "started",
      "completed" => "completed",
      "failed" => "failed",
      "retry_requested" => "retry",
      "cancelled" => "cancelled",
      "resolved_manually" => "resolved"
    }.freeze
    ENDS = %w[completed failed].freeze

    module_function

    def event_type_of(name)
      entity, verb = name.to_s.split(".", 2)
      %w[step task].include?(entity) ? EVENT_TYPES.fetch(verb.to_s, "other") : "other"
    end

    def step(name, step, event_type, error, context)
      step, context = context, {} if step.nil?
      event_type = (event_type || event_type_of(name)).to_s
      payload = describe_step(step, event_type)
      { "event_type" => event_type }.merge!(payload, describe_error(error), keyed(context))
    end

    def task(name, task, event_type, error, context)
      task, context = context, {} if task.nil?
      event_type = (event_type || event_type_of(name)).to_s
      payload = describe(task, ENDS.include?(event_type) ? TASK_END : TASK)
      { "event_type" => event_type }.merge!(payload, describe_error(error), keyed(context))
    end

    def workflow(task, given, context)
      { "event_type" => "other" }.merge!(describe_task_of(task), keyed(given.compact), keyed(context))
    end

    def viable_steps(steps)
      described = Array(steps).map { |step| id?(step) ? { "step_id" => step } : describe_step(step, "other") }
      names = described.map { |step| step["step_name"] }.compact
      found = { "step_ids" => described.map { |step| step["step_id"] }, "step_count" => described.length }
      names.empty? ? found : found.merge!("step_names" => names)
    end

    # An exception, or a text: what it says, what it is, where it was.
    def describe_error(error)
      return {} if error.nil?
      return { "error_message" => error } unless error.is_a?(Exception)

      {
        "error_message" => error.message,
        "exception_class" => error.class.name || error.class.to_s,
        "backtrace" => (error.backtrace || []).first(BACKTRACE_MAX)
      }
    end

    def keyed(fields)
      fields.transform_keys(&:to_s)
    end

    def id?(value)
      value.is_a?(String) || value.is_a?(Integer) || value.is_a?(Symbol)
    end

    # A task, or its id.
    def describe_task_of(task)
      return {} if task.nil?
      return { "task_id" => task } if id?(task)

      describe(task, OF_WORKFLOW).slice(*OF_WORKFLOW.keys)
    end

    def describe_step(step, event_type)
      is_start = event_type == "started"
      is_end = ENDS.include?(event_type)
      payload = describe(step, is_end ? STEP_END : is_start ? STEP_START : STEP)
      add_task(payload, task_of(step, payload))
      payload = { "step_inputs" => {}, "step_dependencies" => [] }.merge!(payload) if is_start
      payload = { "step_results" => {} }.merge!(payload) if is_end
      if event_type == "retry" && payload.key?("attempt_number")
        payload["previous_attempts"] = payload["attempt_number"] unless payload.key?("previous_attempts")
      end
      payload
    end

    # Only a task that is there already: an association that is not loaded would ask the database.
    def task_of(step, payload)
      return payload.delete("task") if hash_of(step)
      return if step.respond_to?(:association) && !step.association(:task).loaded?

      read(step, "task")
    rescue StandardError
      nil
    end

    def add_task(payload, task)
      return if task.nil?

      described = id?(task) ? { "task_name" => task } : describe(task, OF_TASK).slice("task_id", "task_name")
      payload.merge!(described) { |_, own, _| own }
    end

    # The standard keys of a hash, with what else it holds, or of an object. nil is left out.
    def describe(entity, keys)
      return {} if entity.nil?

      hash = hash_of(entity)
      return describe_hash(hash, keys) if hash

      keys.each_with_object({}) do |(key, names), found|
        names.each do |name|
          value = read(entity, name)
          break found[key] = value unless value.nil?
        end
      end
    end

    def describe_hash(hash, keys)
      rest = keyed(hash).compact
      found = {}
      keys.each do |key, names|
        name = names.find { |each| rest.key?(each) }
        found[key] = rest.delete(name) if name
      end
      found.merge!(rest)
    end

    def hash_of(entity)
      entity.respond_to?(:to_hash) ? entity.to_hash : nil
    end

    # An object's attribute; its code may fail in any way.
    def read(entity, name)
      entity.respond_to?(name) ? entity.public_send(name) : nil
    rescue StandardError
      nil
    end
  end

  # ---- the helpers ----

  # The publishing methods. A class that includes them publishes by the program's publisher, unless it says otherwise in
  # event_publisher.
  #
  # A step or task is a hash, with whatever else it holds, or an object with methods of the standard names; without one
  # the keywords are it. Keywords add fields, and take the place of standard ones. Every method returns whether the
  # kernel took the event.
  module EventPublisher
    def event_publisher
      Statsidecar.publisher
    end

    # -- anything --

    def publish_event(name, payload = nil, **fields)
      event_publisher.publish(name) { Standard.keyed(payload.to_h).merge!(Standard.keyed(fields)) }
    end
    alias publish_custom_event publish_event

    def publish_step_event(name, step = nil, event_type: nil, error: nil, **context)
      event_publisher.publish(name) { Standard.step(name, step, event_type, error, context) }
    end

    def publish_task_event(name, task = nil, event_type: nil, error: nil, **context)
      event_publisher.publish(name) { Standard.task(name, task, event_type, error, context) }
    end

    def publish_workflow_event(name, task = nil, **context)
      event_publisher.publish(name) { Standard.workflow(task, {}, context) }
    end

    # -- steps --

    def publish_step_started(step = nil, **context)
      publish_step_event("step.execution_requested", step, **context)
    end

    def publish_step_before_handle(step = nil, **context)
      publish_step_event("step.before_handle", step, **context)
    end

    def publish_step_completed(step = nil, **context)
      publish_step_event("step.completed", step, **context)
    end

    # error: an exception, or a text.
    def publish_step_failed(step = nil, error: nil, **context)
      publish_step_event("step.failed", step, error: error, **context)
    end

    # retry_reason:, backoff_strategy:
    def publish_step_retry_requested(step = nil, **context)
      publish_step_event("step.retry_requested", step, **context)
    end

    def publish_step_cancelled(step = nil, **context)
      publish_step_event("step.cancelled", step, **context)
    end

    # -- tasks --

    def publish_task_started(task = nil, **context)
      publish_task_event("task.start_requested", task, **context)
    end

    def publish_task_completed(task = nil, **context)
      publish_task_event("task.completed", task, **context)
    end

    # error: an exception, or a text; error_steps:
    def publish_task_failed(task = nil, error: nil, **context)
      publish_task_event("task.failed", task, error: error, **context)
    end

    # retry_reason:
    def publish_task_retry_requested(task = nil, **context)
      publish_task_event("task.retry_requested", task, **context)
    end

    # -- workflows: a task, or its id --

    def publish_workflow_task_started(task = nil, **context)
      publish_workflow_event("workflow.task_started", task, **context)
    end

    def publish_workflow_step_completed(step = nil, **context)
      publish_step_event("workflow.step_completed", step, **context)
    end

    # steps: (or second): steps, or their ids; processing_mode: "concurrent" or "sequential".
    def publish_viable_steps_discovered(task = nil, listed = [], steps: listed, **context)
      name = "workflow.viable_steps_discovered"
      event_publisher.publish(name) { Standard.workflow(task, Standard.viable_steps(steps), context) }
    end

    # reason:
    def publish_no_viable_steps(task = nil, **context)
      publish_workflow_event("workflow.no_viable_steps", task, **context)
    end

    # processed_steps_count:
    def publish_task_finalization_started(task = nil, **context)
      publish_workflow_event("workflow.task_finalization_started", task, **context)
    end

    # processed_steps_count:, final_status:
    def publish_task_finalization_completed(task = nil, **context)
      publish_workflow_event("workflow.task_finalization_completed", task, **context)
    end

    # reason:, current_status:
    def publish_task_reenqueue_started(task = nil, **context)
      publish_workflow_event("workflow.task_reenqueue_started", task, **context)
    end

    # reason:, current_status:
    def publish_task_reenqueue_requested(task = nil, **context)
      publish_workflow_event("workflow.task_reenqueue_requested", task, **context)
    end

    # reason:, current_status:, error: an exception, or a text.
    def publish_task_reenqueue_failed(task = nil, error: nil, **context)
      name = "workflow.task_reenqueue_failed"
      event_publisher.publish(name) do
        said = Standard.describe_error(error).transform_keys { |key| key == "error_message" ? "error" : key }
        Standard.workflow(task, said, context)
      end
    end

    # reason:, current_status:, delay_seconds:, scheduled_for:
    def publish_task_reenqueue_delayed(task = nil, **context)
      publish_workflow_event("workflow.task_reenqueue_delayed", task, **context)
    end

    # -- durations, measured by the monotonic clock --

    # The step started; completed with its duration, or failed with the exception, which goes on. Gives the block a
    # Timing and returns what it returns; without a block returns the Timing.
    def time_step(step = nil, **context, &block)
      Timing.new("execution_duration", context, method(:publish_step_started), method(:publish_step_completed),
                 method(:publish_step_failed), step).run(&block)
    end

    def time_task(task = nil, **context, &block)
      Timing.new("total_execution_duration", context, method(:publish_task_started), method(:publish_task_completed),
                 method(:publish_task_failed), task).run(&block)
    end

    # One event at the end, with execution_duration, and what was raised.
    def time_event(name, payload = nil, **fields, &block)
      finish = lambda do |_, error: nil, **measured|
        publish_event(name, payload.to_h.merge(Standard.describe_error(error)), **measured)
      end
      Timing.new("execution_duration", fields, nil, finish, finish, nil).run(&block)
    end
  end

  # A step, task or event that goes on; fields put into it are the last event's.
  #
  #     timing = Statsidecar.time_step(step)
  #     …
  #     timing.complete(step_results: { rows: 12 })        # or timing.fail(exception)
  class Timing
    def initialize(field, context, on_start, on_completion, on_failure, entity)
      @field = field.to_sym
      @context = context
      @on_start = on_start
      @on_completion = on_completion
      @on_failure = on_failure
      @entity = entity
      @fields = {}
    end

    def []=(name, value)
      @fields[name.to_sym] = value
    end

    def [](name)
      @fields[name.to_sym]
    end

    def run
      start
      return self unless block_given?

      begin
        yield self
      rescue Exception => e # rubocop:disable Lint/RescueException -- it goes on
        raise
      ensure
        e.nil? || (e.is_a?(SystemExit) && e.success?) ? complete : fail(e)
      end
    end

    def complete(**context)
      @on_completion.call(@entity, **measured, **context)
    end

    def fail(error = nil, **context)
      @on_failure.call(@entity, error: error, **measured, **context)
    end

    private

    def start
      @started_at = Time.now
      @started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      @on_start&.call(@entity, started_at: @started_at, **@context)
    end

    def measured
      seconds = (Process.clock_gettime(Process::CLOCK_MONOTONIC) - @started).round(6)
      times = { started_at: @started_at, completed_at: Time.now, @field => seconds }
      times.merge!(@context, @fields)
    end
  end

  # ---- publishers ----

  # Sends to a URL: fifo:///PATH, udp://ADDRESS:PORT, unix:///PATH or unix://@NAME. By default $STATSIDECAR_TO, else
  # fifo:///run/statsidecar/events where that has a reader, else udp://127.0.0.1:8127.
  class Publisher
    include EventPublisher

    attr_reader :url

    def initialize(to = nil, strict: false)
      @lock = Mutex.new
      @counts = Hash.new(0)
      @pid = Process.pid
      @strict = strict
      @url = [to, ENV["STATSIDECAR_TO"]].find { |url| url && !url.empty? }
      @channel = open_channel
    end

    def event_publisher
      self
    end

    # How many events ended how: a key of RESULTS each, and how many of those sent were shortened.
    def counts
      synchronize { Hash.new(0).merge(@counts) }
    end

    def sent
      counts[:sent]
    end

    def dropped
      counts.sum { |result, count| %i[sent shortened].include?(result) ? 0 : count }
    end

    def close
      channel = @channel
      @channel = Nowhere.new(:away)
      channel.close
    end

    # The way of every event. The payload is made here, so that a fault in it stays here.
    def publish(name, &make_payload)
      if Process.pid != @pid
        @pid = Process.pid
        @channel.after_fork
      end
      result = deliver(name, &make_payload)
      count(result)
      raise NotSent.new(result, name) if @strict && result != :sent

      result == :sent
    rescue NotSent
      raise
    rescue StandardError, SystemStackError
      count(:failed)
      raise if @strict

      false
    end

    private

    def open_channel
      return Channel.new(Url.parse(@url)) if @url

      channel = Channel.new(Url.parse(DEFAULT_PIPE))
      @url = channel.open? ? DEFAULT_PIPE : DEFAULT_PORT
      channel.open? ? channel : Channel.new(Url.parse(DEFAULT_PORT))
    rescue NotSent => e
      raise NotSent.new(e.reason, @url) if @strict

      warn("statsidecar: #{@url}: #{e.message}; nothing is published")
      Nowhere.new(e.reason)
    end

    def deliver(name)
      name = name.to_s
      return :invalid unless IDENTIFIER.match?(name)

      payload = yield
      line, is_shortened = write_line(name, payload)
      result = @channel.deliver(line)
      count(:shortened) if is_shortened && result == :sent
      result
    rescue TooLong
      :too_long
    end

    def write_line(name, payload)
      whole = { "event" => name }
      whole["timestamp"] = Time.now unless DATES.any? { |date| payload.key?(date) }
      # The name is the event: a field that says otherwise would take its place.
      whole.merge!(payload)
      whole["event"] = name
      whole.delete("")
      limit = @channel.line_max
      begin
        return [Value.new(whole, limit - 1, limit).bytes << "\n", false]
      rescue TooLong
        nil
      end
      [Draft.new(whole, limit).shorten.line, true]
    end

    def count(what)
      synchronize { @counts[what] += 1 }
    end

    # A signal's handler may not wait for a lock.
    def synchronize(&block)
      @lock.synchronize(&block)
    rescue ThreadError
      yield
    end
  end

  # ---- buses ----

  # Forwards the events of a running bus. What it is given must not fail, and neither does it.
  class Subscriber
    # An event that was told without a block took no time: what the bus measured then is its own.
    MOMENT_MS = 0.1
    DURATIONS = %w[
      execution_duration execution_duration_seconds duration total_execution_duration total_duration
    ].freeze

    def initialize(publisher)
      @publisher = publisher
      @stops = []
    end

    # ActiveSupport::Notifications, or another bus with its subscribe; a name, a pattern, or nil for every event.
    def forward_notifications(pattern, bus)
      subscription = bus.subscribe(pattern) { |event| forward_notification(event) }
      @stops << -> { bus.unsubscribe(subscription) }
      self
    end

    # dry-events: an event must be subscribed to by its name.
    def forward_bus(bus, events)
      events.each do |name|
        bus.subscribe(name) { |event| forward_event(event) }
      rescue StandardError
        raise if events.length == 1 # no such event
      end
      self
    end

    def stop
      @stops.each(&:call).clear
    end

    private

    def publisher
      @publisher || Statsidecar.publisher
    end

    # Names with an exclamation mark are Rails' own business.
    def forward_notification(event)
      return if event.name.to_s.start_with?("!")

      publisher.publish(event.name) do
        add_duration(payload_of(event), event.duration) # milliseconds
      end
    end

    def forward_event(event)
      publisher.publish(event.id) do
        payload = payload_of(event)
        # dry-monitor's: the milliseconds that it took, not when it was.
        taken = payload["time"]
        taken.is_a?(Numeric) && taken < 1e8 ? add_duration(payload.reject { |key, _| key == "time" }, taken) : payload
      end
    end

    # ActiveSupport tells of an exception twice: as [class, message], and as the object.
    def payload_of(event)
      payload = Standard.keyed(event.payload.to_h)
      exception = payload.values_at("exception_object", "exception").find { |value| value.is_a?(Exception) }
      return payload unless exception

      Standard.describe_error(exception).merge!(payload.reject { |key, _| %w[exception_object exception].include?(key) })
    end

    def add_duration(payload, milliseconds)
      is_measured = (payload.keys & DURATIONS).any? || (payload.key?("started_at") && payload.key?("completed_at"))
      return payload if is_measured || milliseconds.nil? || milliseconds < MOMENT_MS

      payload.merge!("execution_duration" => (milliseconds / 1000.0).round(6))
    end
  end

  # ---- the program's publisher, and its methods as functions ----

  LOCK = Mutex.new

  extend EventPublisher

  class << self
    # The program's publisher, made at its first use.
    def publisher
      @publisher || LOCK.synchronize { @publisher ||= Publisher.new }
    rescue ThreadError # in a signal's handler
      @publisher ||= Publisher.new
    end

    # Makes another publisher the program's.
    def configure(to = nil, strict: false)
      @publisher = Publisher.new(to, strict: strict)
    end

    # Forwards every event of ActiveSupport::Notifications, or those whose names match; returns what has stop.
    def forward_notifications(pattern = nil, publisher: nil, bus: ActiveSupport::Notifications)
      Subscriber.new(publisher).forward_notifications(pattern, bus)
    end

    # Forwards every event of a dry-events bus, or those named.
    def forward_bus(bus, events: nil, publisher: nil)
      Subscriber.new(publisher).forward_bus(bus, events || bus.class.events.keys)
    end

    def format_time(time)
      time.getutc.strftime("%Y-%m-%dT%H:%M:%S.%6NZ")
    end
  end
end
