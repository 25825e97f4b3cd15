package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log"
	"net"
)

// A read request and its answer (RFC 1350, section 5): curl speaks no other protocol by UDP alone.
var readRequest, firstBlock = []byte{0, 1}, []byte{0, 3, 0, 1}

// datagrams answers each read request with one block, which is the last one: who asked, for what, and at which address.
func datagrams(j *journal, socket net.PacketConn) {
	buffer := make([]byte, 2048)
	for {
		size, peer, err := socket.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err != nil {
			log.Print(err)
			continue
		}
		file, asks := bytes.CutPrefix(buffer[:size], readRequest)
		name, _, whole := bytes.Cut(file, []byte{0})
		if !asks || !whole {
			continue // an acknowledgement, or no TFTP at all
		}
		e := entry{Event: "request", Peer: peer.String(), Local: socket.LocalAddr().String(), Proto: "UDP", RequestID: string(name)}
		j.write(e)
		answer, _ := json.Marshal(map[string]string{"id": e.RequestID, "peer": e.Peer, "local": e.Local})
		if _, err := socket.WriteTo(append(bytes.Clone(firstBlock), answer...), peer); err != nil {
			log.Print(err)
		}
	}
}

// listenForDatagrams opens a socket at each address of the hosts: an answer has to come from the one that was asked.
func listenForDatagrams(hosts []host, port string) []net.PacketConn {
	sockets := map[string]net.PacketConn{}
	for _, one := range hosts {
		for _, address := range one.Addresses {
			if sockets[address] == nil {
				socket, err := net.ListenPacket("udp4", net.JoinHostPort(address, port))
				must(err)
				sockets[address] = socket
			}
		}
	}
	found := make([]net.PacketConn, 0, len(sockets))
	for _, socket := range sockets {
		found = append(found, socket)
	}
	return found
}
