# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_mailferry_global_optspecs
    string join \n c/config= state-dir= json q/quiet v/verbose color= n/dry-run wait= exit-code jobs= h/help V/version
end

function __fish_mailferry_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_mailferry_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_mailferry_using_subcommand
    set -l cmd (__fish_mailferry_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c mailferry -n "__fish_mailferry_needs_command" -s c -l config -d 'Configuration file' -r -F
complete -c mailferry -n "__fish_mailferry_needs_command" -l state-dir -d 'Where state is kept between runs' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_needs_command" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_needs_command" -l wait -d 'How long to wait for another run on the same account, in seconds' -r
complete -c mailferry -n "__fish_mailferry_needs_command" -l jobs -d 'How many accounts to work on at once' -r
complete -c mailferry -n "__fish_mailferry_needs_command" -l json -d 'One JSON object a line on stdout'
complete -c mailferry -n "__fish_mailferry_needs_command" -s q -l quiet -d 'Say nothing on success, even on a terminal'
complete -c mailferry -n "__fish_mailferry_needs_command" -s v -l verbose -d 'Say more: folders; twice: every message'
complete -c mailferry -n "__fish_mailferry_needs_command" -s n -l dry-run -d 'Say what would be done, message by message, and change nothing'
complete -c mailferry -n "__fish_mailferry_needs_command" -l exit-code -d 'Exit with 1 when there was nothing new'
complete -c mailferry -n "__fish_mailferry_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_needs_command" -s V -l version -d 'Print version'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "pull" -d 'Fetch new messages, one way, from server to store'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "sync" -d 'Keep server and store alike, two ways'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "adopt" -d 'Take over a Maildir that another tool kept, without a download'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "migrate" -d 'Copy mailboxes from one place to another, once and for all'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "status" -d 'Show the last run, what is here, and what the server would not give'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "config" -d 'Find and check the configuration'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "completions" -d 'Print a completion script'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "man" -d 'Write the man pages into a folder'
complete -c mailferry -n "__fish_mailferry_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c mailferry -n "__fish_mailferry_using_subcommand pull" -l to -d 'Store to deliver into: maildir:PATH or mbox:PATH' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand pull" -l password-command -d 'Command that prints the password; else MAILFERRY_PASSWORD, else it is asked for' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand pull" -l auth -d 'How to log in: auto, plain, login, cram-md5, scram-sha-256, xoauth2, oauthbearer, apop, userpass' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand pull" -l keep -d 'What stays on the server: true, false, or a time such as 30d [default: true]' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand pull" -l max-size -d 'Skip messages larger than this, such as 50MiB' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand pull" -l ca-file -d 'Further trusted certificates, PEM' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand pull" -l pin-sha256 -d 'Accept this certificate and no other; may be given several times' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand pull" -l line-endings -d 'Line ends of stored messages: lf or crlf [default: lf]' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand pull" -l timeout -d 'How long any one step may be silent, such as 60s' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand pull" -s c -l config -d 'Configuration file' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand pull" -l state-dir -d 'Where state is kept between runs' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand pull" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand pull" -l wait -d 'How long to wait for another run on the same account, in seconds' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand pull" -l jobs -d 'How many accounts to work on at once' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand pull" -l json -d 'One JSON object a line on stdout'
complete -c mailferry -n "__fish_mailferry_using_subcommand pull" -s q -l quiet -d 'Say nothing on success, even on a terminal'
complete -c mailferry -n "__fish_mailferry_using_subcommand pull" -s v -l verbose -d 'Say more: folders; twice: every message'
complete -c mailferry -n "__fish_mailferry_using_subcommand pull" -s n -l dry-run -d 'Say what would be done, message by message, and change nothing'
complete -c mailferry -n "__fish_mailferry_using_subcommand pull" -l exit-code -d 'Exit with 1 when there was nothing new'
complete -c mailferry -n "__fish_mailferry_using_subcommand pull" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -l allow-delete -d 'Delete up to N messages of each account, whatever max_delete says' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -s c -l config -d 'Configuration file' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -l state-dir -d 'Where state is kept between runs' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -l wait -d 'How long to wait for another run on the same account, in seconds' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -l jobs -d 'How many accounts to work on at once' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -l json -d 'One JSON object a line on stdout'
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -s q -l quiet -d 'Say nothing on success, even on a terminal'
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -s v -l verbose -d 'Say more: folders; twice: every message'
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -s n -l dry-run -d 'Say what would be done, message by message, and change nothing'
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -l exit-code -d 'Exit with 1 when there was nothing new'
complete -c mailferry -n "__fish_mailferry_using_subcommand sync" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand adopt" -s c -l config -d 'Configuration file' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand adopt" -l state-dir -d 'Where state is kept between runs' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand adopt" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand adopt" -l wait -d 'How long to wait for another run on the same account, in seconds' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand adopt" -l jobs -d 'How many accounts to work on at once' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand adopt" -l json -d 'One JSON object a line on stdout'
complete -c mailferry -n "__fish_mailferry_using_subcommand adopt" -s q -l quiet -d 'Say nothing on success, even on a terminal'
complete -c mailferry -n "__fish_mailferry_using_subcommand adopt" -s v -l verbose -d 'Say more: folders; twice: every message'
complete -c mailferry -n "__fish_mailferry_using_subcommand adopt" -s n -l dry-run -d 'Say what would be done, message by message, and change nothing'
complete -c mailferry -n "__fish_mailferry_using_subcommand adopt" -l exit-code -d 'Exit with 1 when there was nothing new'
complete -c mailferry -n "__fish_mailferry_using_subcommand adopt" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l folders -d 'Copy these folders; may be given several times, `!NAME` leaves one out [default: *]' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l into -d 'Put everything into this folder: the inbox itself, and others inside it' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l map -d 'Put folder A, with those inside it, where B says; may be given several times' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l since -d 'Leave out what arrived before this day (2024-01-31), or longer ago than this (90d)' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l before -d 'Leave out what arrived on this day or later' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l max-size -d 'Leave out messages larger than this, such as 50MiB' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l verify -d 'How to check at the end that all is there: by header and size, or by every octet' -r -f -a "header\t'By Message-ID, Date, From, Subject and size'
content\t'By every octet'"
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l connections -d 'How many connections may be open at once, at each end' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l report-dir -d 'Write the report of each mailbox into this folder, as JSON' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l batch -d 'Do the mailboxes of a table, --jobs at once' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l shard -d 'Do the Ith of N parts of the table, so that many machines share it' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l from-password-command -d 'Command that prints the password of FROM; else MAILFERRY_FROM_PASSWORD, else it is asked for' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l to-password-command -d 'Command that prints the password of TO; else MAILFERRY_TO_PASSWORD, else it is asked for' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l from-auth-user -d 'Whose password that of FROM is, where it is an administrator\'s who logs in for the user of the URL' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l to-auth-user -d 'Whose password that of TO is, where it is an administrator\'s' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l from-auth -d 'How to log in to FROM, as --auth of pull' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l to-auth -d 'How to log in to TO' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l from-pin-sha256 -d 'Accept this certificate of FROM and no other; may be given several times' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l to-pin-sha256 -d 'Accept this certificate of TO and no other; may be given several times' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l ca-file -d 'Further trusted certificates for both ends, PEM' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l timeout -d 'How long any one step of either server may be silent, such as 60s' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l line-endings -d 'Line ends of messages in a local TO: lf or crlf [default: lf]' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -s c -l config -d 'Configuration file' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l state-dir -d 'Where state is kept between runs' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l wait -d 'How long to wait for another run on the same account, in seconds' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l jobs -d 'How many accounts to work on at once' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l seen -d 'Have all messages arrive as read; those of POP3 are new otherwise'
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l no-flags -d 'Leave flags and keywords behind'
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l dedupe -d 'Of messages with equal content in one folder of the source, copy the first one alone'
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l no-verify -d 'Do not check'
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l delete-source -d 'Delete from the source what was copied, once all was checked and nothing failed'
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l until-idle -d 'Go through it again until there is nothing new in the source'
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l resume -d 'Leave out mailboxes whose last run ended well'
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l only-failed -d 'Do only the mailboxes whose last run did not end well'
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l json -d 'One JSON object a line on stdout'
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -s q -l quiet -d 'Say nothing on success, even on a terminal'
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -s v -l verbose -d 'Say more: folders; twice: every message'
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -s n -l dry-run -d 'Say what would be done, message by message, and change nothing'
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -l exit-code -d 'Exit with 1 when there was nothing new'
complete -c mailferry -n "__fish_mailferry_using_subcommand migrate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -s c -l config -d 'Configuration file' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -l state-dir -d 'Where state is kept between runs' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -l wait -d 'How long to wait for another run on the same account, in seconds' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -l jobs -d 'How many accounts to work on at once' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -l json -d 'One JSON object a line on stdout'
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -s q -l quiet -d 'Say nothing on success, even on a terminal'
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -s v -l verbose -d 'Say more: folders; twice: every message'
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -s n -l dry-run -d 'Say what would be done, message by message, and change nothing'
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -l exit-code -d 'Exit with 1 when there was nothing new'
complete -c mailferry -n "__fish_mailferry_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and not __fish_seen_subcommand_from path check show help" -s c -l config -d 'Configuration file' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and not __fish_seen_subcommand_from path check show help" -l state-dir -d 'Where state is kept between runs' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and not __fish_seen_subcommand_from path check show help" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and not __fish_seen_subcommand_from path check show help" -l wait -d 'How long to wait for another run on the same account, in seconds' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and not __fish_seen_subcommand_from path check show help" -l jobs -d 'How many accounts to work on at once' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and not __fish_seen_subcommand_from path check show help" -l json -d 'One JSON object a line on stdout'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and not __fish_seen_subcommand_from path check show help" -s q -l quiet -d 'Say nothing on success, even on a terminal'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and not __fish_seen_subcommand_from path check show help" -s v -l verbose -d 'Say more: folders; twice: every message'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and not __fish_seen_subcommand_from path check show help" -s n -l dry-run -d 'Say what would be done, message by message, and change nothing'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and not __fish_seen_subcommand_from path check show help" -l exit-code -d 'Exit with 1 when there was nothing new'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and not __fish_seen_subcommand_from path check show help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and not __fish_seen_subcommand_from path check show help" -f -a "path" -d 'Print where the configuration is looked for'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and not __fish_seen_subcommand_from path check show help" -f -a "check" -d 'Check it and name every mistake'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and not __fish_seen_subcommand_from path check show help" -f -a "show" -d 'Show the accounts as they are understood, without passwords'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and not __fish_seen_subcommand_from path check show help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from path" -s c -l config -d 'Configuration file' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from path" -l state-dir -d 'Where state is kept between runs' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from path" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from path" -l wait -d 'How long to wait for another run on the same account, in seconds' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from path" -l jobs -d 'How many accounts to work on at once' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from path" -l json -d 'One JSON object a line on stdout'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from path" -s q -l quiet -d 'Say nothing on success, even on a terminal'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from path" -s v -l verbose -d 'Say more: folders; twice: every message'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from path" -s n -l dry-run -d 'Say what would be done, message by message, and change nothing'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from path" -l exit-code -d 'Exit with 1 when there was nothing new'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from path" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from check" -s c -l config -d 'Configuration file' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from check" -l state-dir -d 'Where state is kept between runs' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from check" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from check" -l wait -d 'How long to wait for another run on the same account, in seconds' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from check" -l jobs -d 'How many accounts to work on at once' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from check" -l json -d 'One JSON object a line on stdout'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Say nothing on success, even on a terminal'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Say more: folders; twice: every message'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from check" -s n -l dry-run -d 'Say what would be done, message by message, and change nothing'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from check" -l exit-code -d 'Exit with 1 when there was nothing new'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from show" -s c -l config -d 'Configuration file' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from show" -l state-dir -d 'Where state is kept between runs' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from show" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from show" -l wait -d 'How long to wait for another run on the same account, in seconds' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from show" -l jobs -d 'How many accounts to work on at once' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from show" -l json -d 'One JSON object a line on stdout'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say nothing on success, even on a terminal'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more: folders; twice: every message'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from show" -s n -l dry-run -d 'Say what would be done, message by message, and change nothing'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from show" -l exit-code -d 'Exit with 1 when there was nothing new'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "path" -d 'Print where the configuration is looked for'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "check" -d 'Check it and name every mistake'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show the accounts as they are understood, without passwords'
complete -c mailferry -n "__fish_mailferry_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c mailferry -n "__fish_mailferry_using_subcommand completions" -s c -l config -d 'Configuration file' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand completions" -l state-dir -d 'Where state is kept between runs' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand completions" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand completions" -l wait -d 'How long to wait for another run on the same account, in seconds' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand completions" -l jobs -d 'How many accounts to work on at once' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand completions" -l json -d 'One JSON object a line on stdout'
complete -c mailferry -n "__fish_mailferry_using_subcommand completions" -s q -l quiet -d 'Say nothing on success, even on a terminal'
complete -c mailferry -n "__fish_mailferry_using_subcommand completions" -s v -l verbose -d 'Say more: folders; twice: every message'
complete -c mailferry -n "__fish_mailferry_using_subcommand completions" -s n -l dry-run -d 'Say what would be done, message by message, and change nothing'
complete -c mailferry -n "__fish_mailferry_using_subcommand completions" -l exit-code -d 'Exit with 1 when there was nothing new'
complete -c mailferry -n "__fish_mailferry_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand man" -s c -l config -d 'Configuration file' -r -F
complete -c mailferry -n "__fish_mailferry_using_subcommand man" -l state-dir -d 'Where state is kept between runs' -r -f -a "(__fish_complete_directories)"
complete -c mailferry -n "__fish_mailferry_using_subcommand man" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c mailferry -n "__fish_mailferry_using_subcommand man" -l wait -d 'How long to wait for another run on the same account, in seconds' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand man" -l jobs -d 'How many accounts to work on at once' -r
complete -c mailferry -n "__fish_mailferry_using_subcommand man" -l json -d 'One JSON object a line on stdout'
complete -c mailferry -n "__fish_mailferry_using_subcommand man" -s q -l quiet -d 'Say nothing on success, even on a terminal'
complete -c mailferry -n "__fish_mailferry_using_subcommand man" -s v -l verbose -d 'Say more: folders; twice: every message'
complete -c mailferry -n "__fish_mailferry_using_subcommand man" -s n -l dry-run -d 'Say what would be done, message by message, and change nothing'
complete -c mailferry -n "__fish_mailferry_using_subcommand man" -l exit-code -d 'Exit with 1 when there was nothing new'
complete -c mailferry -n "__fish_mailferry_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mailferry -n "__fish_mailferry_using_subcommand help; and not __fish_seen_subcommand_from pull sync adopt migrate status config completions man help" -f -a "pull" -d 'Fetch new messages, one way, from server to store'
complete -c mailferry -n "__fish_mailferry_using_subcommand help; and not __fish_seen_subcommand_from pull sync adopt migrate status config completions man help" -f -a "sync" -d 'Keep server and store alike, two ways'
complete -c mailferry -n "__fish_mailferry_using_subcommand help; and not __fish_seen_subcommand_from pull sync adopt migrate status config completions man help" -f -a "adopt" -d 'Take over a Maildir that another tool kept, without a download'
complete -c mailferry -n "__fish_mailferry_using_subcommand help; and not __fish_seen_subcommand_from pull sync adopt migrate status config completions man help" -f -a "migrate" -d 'Copy mailboxes from one place to another, once and for all'
complete -c mailferry -n "__fish_mailferry_using_subcommand help; and not __fish_seen_subcommand_from pull sync adopt migrate status config completions man help" -f -a "status" -d 'Show the last run, what is here, and what the server would not give'
complete -c mailferry -n "__fish_mailferry_using_subcommand help; and not __fish_seen_subcommand_from pull sync adopt migrate status config completions man help" -f -a "config" -d 'Find and check the configuration'
complete -c mailferry -n "__fish_mailferry_using_subcommand help; and not __fish_seen_subcommand_from pull sync adopt migrate status config completions man help" -f -a "completions" -d 'Print a completion script'
complete -c mailferry -n "__fish_mailferry_using_subcommand help; and not __fish_seen_subcommand_from pull sync adopt migrate status config completions man help" -f -a "man" -d 'Write the man pages into a folder'
complete -c mailferry -n "__fish_mailferry_using_subcommand help; and not __fish_seen_subcommand_from pull sync adopt migrate status config completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c mailferry -n "__fish_mailferry_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "path" -d 'Print where the configuration is looked for'
complete -c mailferry -n "__fish_mailferry_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "check" -d 'Check it and name every mistake'
complete -c mailferry -n "__fish_mailferry_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "show" -d 'Show the accounts as they are understood, without passwords'
